#include "test/unit/agent/layout/random_pages.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "test/support/protobuf_page_generator.h"
#include "test/support/slow_protobuf_page.h"

namespace tributary {
namespace {

const std::vector<TimestampMs> kOffsets = {
    0,      -1,      -5'000, -15'000, -14'999, -15'001, -29'000, -31'000, -100'000,
    -4'000, -16'000, 1,      14'000,  15'000,  31'000,  600'000, 600'001, 9'000'000,
};
const std::vector<std::string> kHarmless = {"\n", "# plain\n", "#\n", "  \t\n", "# HELP m9 x\n"};
const std::vector<std::string> kBroken = {
    "not a line",      "m{a=\"1\"",     "m 1 2 3",       "m{a=\"1\",a=\"2\"} 1", "{} 1",
    "m{a=\"\xff\"} 1", "# TYPE m what", "m{a=\"open} 1", "{a=\"nameless\"} 1"};

}  // namespace

RandomPages::RandomPages(Random& random, size_t series_max, const HistogramMode& mode,
                         unsigned oddities, bool cuts)
    : random_(random), series_max_(series_max), mode_(mode), oddities_(oddities), cuts_(cuts) {
  const size_t count = 1 + random_() % series_max_;
  for (size_t i = 0; i < count; i++) lines_.push_back(NewSeries());
  error_rarity_ = Pick(random_, std::vector<uint64_t>{1, 5, 50}) * series_max_;
  own_times_ = Pick(random_, std::vector<uint64_t>{50, 50, 50, 3, 3, 1});
  churn_ = OneIn(random_, 4) ? 0 : 1 + random_() % 4;
  format_ = static_cast<PageFormat>(random_() % 3);
  format_rarity_ = Pick(random_, std::vector<uint64_t>{0, 2, 8});
}

RandomPages::Page RandomPages::Next(TimestampMs timestamp) {
  timestamp_ = timestamp;
  if (format_rarity_ != 0 && OneIn(random_, format_rarity_)) {
    format_ = static_cast<PageFormat>(random_() % 3);
  }
  if (OneIn(random_, 30)) return {format_, ""};
  if (format_ == PageFormat::kProtobuf) return {format_, NextProtobuf()};
  Change();
  return {format_, NextLines()};
}

std::string RandomPages::NextProtobuf() {
  if (protobuf_.empty() || OneIn(random_, 2)) {
    ProtobufPageShape shape;
    shape.oddities = oddities_;
    if (OneIn(random_, 3)) shape.families_max = 2;
    do {
      protobuf_ = RandomProtobufPage(random_, shape);
    } while (ReadProtobufPageSlowly(protobuf_,
                                    {!mode_.native, mode_.keep_classic, mode_.convert_classic})
                 .odd);
  }
  if (!cuts_ || protobuf_.empty() || !OneIn(random_, 15)) return protobuf_;
  // Cut inside a family, whose metrics then do not count; if nothing fails before.
  const ProtobufPageText whole =
      ReadProtobufPageSlowly(protobuf_, {!mode_.native, mode_.keep_classic, mode_.convert_classic})
          .text;
  const bool fails =
      !whole.ok || std::any_of(whole.lines.begin(), whole.lines.end(), [](const std::string& line) {
        return line.ends_with("invalid") || line.find("not unique") != std::string::npos;
      });
  const std::string cut = protobuf_.substr(0, random_() % protobuf_.size());
  return fails || ReadProtobufPageSlowly(cut, {}).odd ? protobuf_ : cut;
}

bool RandomPages::fits_format(const std::string& line) {
  if (!open_metrics()) return true;
  // What the text format takes but OpenMetrics does not: seldom, as it fails the page.
  const bool text_only = line[0] == ' ' || line.find('\n') != std::string::npos ||
                         line.find(", ") != std::string::npos || line.starts_with("# a ");
  return !text_only || OneIn(random_, error_rarity_);
}

std::string RandomPages::NextLines() {
  std::string page;
  type_said_.clear();
  std::map<std::string, std::string> said;
  for (const std::string& line : lines_) {
    if (!fits_format(line)) continue;
    // Starts of series that come twice are Prometheus' alone: the model looks for one for each.
    if (line[0] == '%' && !said.emplace(line, line).second) continue;
    if (line[0] == '#') {
      // "# TYPE m0" and what it says: a page does not contradict itself.
      const std::string about = line.substr(0, line.find(' ', 7));
      if (said.emplace(about, line).first->second != line) continue;
      type_said_.clear();
      page += line;
      if (open_metrics() && line.ends_with("untyped")) {
        page.replace(page.size() - 7, 7, "unknown");
      }
      page += "\n";
    } else if (line.starts_with("%hist")) {
      AddHistogram(line, page);
    } else if (line.starts_with("%count")) {
      AddCounter(line, page);
    } else {
      AddSample(line, page);
      if (OneIn(random_, 60)) AddSample(line, page);
    }
    if (!open_metrics() && OneIn(random_, 40)) page += Pick(random_, kHarmless);
    if (OneIn(random_, error_rarity_)) page += Pick(random_, kBroken) + "\n";
  }
  if (open_metrics()) {
    page += OneIn(random_, error_rarity_) ? "" : OneIn(random_, 3) ? "# EOF" : "# EOF\n";
    return page;
  }
  if (OneIn(random_, 10)) page += "# EOF\n";  // a comment like others
  if (OneIn(random_, 40)) page += std::string("\0", 1);
  if (OneIn(random_, 3) && !page.empty()) page.pop_back();
  return page;
}

void RandomPages::Change() {
  for (size_t i = 0; i < churn_; i++) {
    const size_t at = lines_.empty() ? 0 : random_() % lines_.size();
    const auto place = lines_.begin() + static_cast<ptrdiff_t>(at);
    switch (random_() % 6) {
      case 0:
      case 1:
        if (lines_.size() < series_max_ * 2) lines_.insert(place, NewLine());
        break;
      case 2:
      case 3:
        if (lines_.empty()) break;
        gone_.push_back(*place);
        lines_.erase(place);
        break;
      case 4:
        if (gone_.empty()) break;
        lines_.insert(place, Pick(random_, gone_));
        break;
      default:
        if (!lines_.empty()) std::swap(*place, lines_[random_() % lines_.size()]);
    }
  }
  if (OneIn(random_, 30)) std::shuffle(lines_.begin(), lines_.end(), random_);
  if (OneIn(random_, 40)) {
    gone_.insert(gone_.end(), lines_.begin(), lines_.end());
    lines_.clear();
  }
  if (gone_.size() > 100) gone_.erase(gone_.begin(), gone_.begin() + 50);
}

std::string RandomPages::NewLine() {
  if (!OneIn(random_, 4)) return NewSeries();
  switch (random_() % 4) {
    case 0:
      return "# HELP m" + std::to_string(random_() % 4) + " text \\\" " +
             std::to_string(random_() % 5);
    case 1:
      return "# a comment " + std::to_string(random_() % 5);
    default:
      return "# TYPE " + Pick<std::string>(random_, {"m0", "m1", "h", "h_bucket"}) + " " +
             Pick<std::string>(random_, {"counter", "gauge", "histogram", "summary", "untyped"});
  }
}

std::string RandomPages::NewSeries() {
  static const std::vector<std::string> kOdd = {"up",
                                                "up{instance=\"i\",job=\"j\"}",
                                                "scrape_samples_scraped",
                                                "{\"with space\"}",
                                                "  m0",
                                                "m1{}",
                                                "m1{job=\"\"}",
                                                "m1{instance=\"\",exported_instance=\"x\"}",
                                                "m1{job=\"own\",exported_job=\"x\"}",
                                                "m1{instance=\"other\"}",
                                                "m2{a=\"line\nbreak\"}",
                                                "m2{a=\"two\n\nbreaks\"}",
                                                "drop_me{a=\"1\"}",
                                                "drop_me{a=\"2\"}",
                                                "rename_me{a=\"1\"}",
                                                "m3{long_label_name=\"1\"}",
                                                "m3{a=\"a long value indeed\"}",
                                                "m3{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\"}"};
  if (OneIn(random_, 5)) return Pick(random_, kOdd);
  if (OneIn(random_, 4)) {
    static const std::vector<std::string> kLabels = {"", "a=\"1\"", "a=\"2\"", "a=\"1\",b=\"x\""};
    return Pick<std::string>(random_, {"%hist0 ", "%hist1 ", "%hist1 ", "%count "}) +
           Pick(random_, kLabels);
  }
  if (OneIn(random_, 6)) {
    return "h_bucket{le=\"" + Pick<std::string>(random_, {"1", "1.0", "5", "+Inf"}) + "\"}";
  }
  const std::string name = "m" + std::to_string(random_() % 4);
  const std::string a = "a=\"" + std::to_string(random_() % (1 + series_max_ / 4)) + "\"";
  const std::string b = "b=\"" + std::to_string(random_() % 3) + "\"";
  switch (random_() % 4) {
    case 0:
      return name + "{" + a + "," + b + "}";
    case 1:
      return name + "{" + b + "," + a + "}";
    case 2:
      return name + "{" + a + ", id=\"" + std::to_string(random_() % 1000) + "\"}";
    default:
      return name + "{" + a + "}";
  }
}

std::string RandomPages::Exemplar() {
  if (!open_metrics() || !OneIn(random_, 4)) return "";
  const std::string labels =
      Pick<std::string>(random_, {"t=\"1\"", "t=\"2\"", "t=\"1\",u=\"\"", "", "t=\"1\",t=\"2\""});
  const std::string value = Pick<std::string>(random_, {"1", "1.0", "2", "0", "-0", "NaN"});
  const std::string time =
      Pick<std::string>(random_, {"", "", " 5", " 6.5", fmt::format(" {}", timestamp_ / 1000),
                                  fmt::format(" {}", timestamp_ / 1000 - 15)});
  return " # {" + labels + "} " + value + time;
}

std::string RandomPages::Created() {
  return Pick<std::string>(random_, {"1520872607.123", "1", "17.5", "0", "1520872608"});
}

void RandomPages::AddSample(const std::string& series, std::string& page) {
  page += series;
  page += OneIn(random_, 30) && !open_metrics() ? "\t " : " ";
  page += OneIn(random_, 5) ? Pick<std::string>(random_, {"NaN", "+Inf", "-0", "1e300", "0x"})
                            : fmt::format("{}", static_cast<double>(random_() % 1000) / 8);
  // 0x is an error; most of the time it is made a number.
  if (page.ends_with("0x") && !OneIn(random_, error_rarity_)) page.back() = '7';
  if (OneIn(random_, own_times_) && !series.starts_with("h_")) {
    const TimestampMs time = timestamp_ + Pick(random_, kOffsets);
    page += open_metrics() ? fmt::format(" {}.{:03}", time / 1000, time % 1000)
                           : fmt::format(" {}", time);
  } else if (!open_metrics() && OneIn(random_, 30)) {
    page += " ";
  }
  page += Exemplar() + "\n";
}

// "%hist0 a="1"": the series of a classic histogram, sometimes wrong ones.
void RandomPages::AddHistogram(const std::string& line, std::string& page) {
  const std::string name = line.substr(1, 5), labels = line.substr(7);
  const std::string type = "# TYPE " + name + " histogram\n";
  if (type_said_ != type && !OneIn(random_, 20)) page += type;
  type_said_ = type;
  const auto add = [&](const std::string& suffix, const std::string& le, const std::string& value) {
    std::string all = labels;
    if (!le.empty()) all += (all.empty() ? "le=\"" : ",le=\"") + le + "\"";
    page += name + suffix + (all.empty() ? "" : "{" + all + "}") + " " + value + Exemplar() + "\n";
  };
  double count = 0;
  for (const std::string le : {"0.5", "1", "2.5", "+Inf"}) {
    if (OneIn(random_, 15)) continue;
    count += static_cast<double>(random_() % 5) / (OneIn(random_, 20) ? 2 : 1);
    if (OneIn(random_, 40)) count -= 3;
    add("_bucket", OneIn(random_, 60) ? "NaN" : le, fmt::format("{}", count));
    if (OneIn(random_, 60)) add("_bucket", le, fmt::format("{}", count + 1));
    if (OneIn(random_, 60)) page += "m0 1\n";
  }
  if (!OneIn(random_, 20)) add("_count", "", fmt::format("{}", count));
  if (!OneIn(random_, 20)) add("_sum", "", fmt::format("{}", count / 4));
  // Behind it nothing of its metric follows: the model gives starts to samples that are not taken.
  if (OneIn(random_, 2)) add("_created", "", Created());
}

void RandomPages::AddCounter(const std::string& line, std::string& page) {
  const std::string labels = line.substr(7);
  const std::string text = labels.empty() ? " " : "{" + labels + "} ";
  const std::string type = "# TYPE count counter\n";
  if (type_said_ != type) page += type;
  type_said_ = type;
  page += "count_total" + text + std::to_string(random_() % 100) + Exemplar() + "\n";
  if (!OneIn(random_, 3)) page += "count_created" + text + Created() + "\n";
}

}  // namespace tributary
