// PageReader and TargetLayout against SlowScrapeModel, over random sequences of scrapes.
//
// Deliberate differences, which the pages here avoid or the comparison allows for:
//   - Samples of one series in one commit are ordered by time around the scrape's: a sample with
//   the
//     scrape's time that follows one with an own time in the future goes before it.
//   - A label name that is twice in a series fails the page before relabeling could drop the
//   series;
//     here the model does so too.
//   - A series of which no sample was ever taken (out of order from the start) keeps the labels of
//   its
//     first sight, though a TYPE line that changes `le` or `quantile` came since.
//   - What a page that contradicts itself says about a family's type may be any of its lines.
//   - What Prometheus' storage forgets by garbage collection is forgotten at regroupings.
//   - Pages that fail for ever with new lines are forgotten as a whole (Prometheus keeps the last
//   one).
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <iostream>
#include <limits>

#include <fmt/format.h>

#include "test/support/catch.h"
#include "test/support/slow_scrape_model.h"
#include "test/unit/agent/layout/layout_rig.h"

namespace tributary {
namespace {

using Random = std::mt19937_64;

bool OneIn(Random& random, uint64_t n) { return random() % n == 0; }

template <typename T>
const T& Pick(Random& random, const std::vector<T>& from) {
  return from[random() % from.size()];
}

// The pages of one target as they change from scrape to scrape.
class RandomPages {
 public:
  RandomPages(Random& random, size_t series_max) : random_(random), series_max_(series_max) {
    const size_t count = 1 + random_() % series_max_;
    for (size_t i = 0; i < count; i++) lines_.push_back(NewSeries());
    error_rarity_ = Pick(random_, std::vector<uint64_t>{1, 5, 50}) * series_max_;
    own_times_ = OneIn(random_, 3) ? 3 : 50;
    churn_ = OneIn(random_, 4) ? 0 : 1 + random_() % 4;
  }

  std::string Next(TimestampMs timestamp) {
    timestamp_ = timestamp;
    if (OneIn(random_, 30)) return "";
    Change();
    std::string page;
    std::map<std::string, std::string> said;
    for (const std::string& line : lines_) {
      if (line[0] == '#') {
        // "# TYPE m0" and what it says: a page does not contradict itself.
        const std::string about = line.substr(0, line.find(' ', 7));
        if (said.emplace(about, line).first->second == line) page += line + "\n";
      } else {
        AddSample(line, page);
        if (OneIn(random_, 60)) AddSample(line, page);
      }
      if (OneIn(random_, 40)) page += Pick(random_, kHarmless);
      if (OneIn(random_, error_rarity_)) page += Pick(random_, kBroken) + "\n";
    }
    if (OneIn(random_, 40)) page += std::string("\0", 1);
    if (OneIn(random_, 3) && !page.empty()) page.pop_back();
    return page;
  }

 private:
  void Change() {
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

  std::string NewLine() {
    if (!OneIn(random_, 4)) return NewSeries();
    switch (random_() % 4) {
      case 0:
        return "# HELP m" + std::to_string(random_() % 4) + " text " +
               std::to_string(random_() % 5);
      case 1:
        return "# a comment " + std::to_string(random_() % 5);
      default:
        return "# TYPE " + Pick<std::string>(random_, {"m0", "m1", "h", "h_bucket"}) + " " +
               Pick<std::string>(random_, {"counter", "gauge", "histogram", "summary", "untyped"});
    }
  }

  std::string NewSeries() {
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

  void AddSample(const std::string& series, std::string& page) {
    page += series;
    page += OneIn(random_, 30) ? "\t " : " ";
    page += OneIn(random_, 5)
                ? Pick<std::string>(random_, {"NaN", "+Inf", "-0", "1e300", "0x", "12 "})
                : fmt::format("{}", static_cast<double>(random_() % 1000) / 8);
    // 0x is an error; most of the time it is made a number.
    if (page.ends_with("0x") && !OneIn(random_, error_rarity_)) page.back() = '7';
    if (OneIn(random_, own_times_) && !series.starts_with("h_")) {
      page += fmt::format(" {}", timestamp_ + Pick(random_, kOffsets));
    }
    page += "\n";
  }

  const std::vector<TimestampMs> kOffsets = {
      0,      -1,      -5'000, -15'000, -14'999, -15'001, -29'000, -31'000, -100'000,
      -4'000, -16'000, 1,      14'000,  15'000,  31'000,  600'000, 600'001, 9'000'000,
  };
  const std::vector<std::string> kHarmless = {"\n", "# plain\n", "#\n", "  \t\n", "# HELP m9 x\n"};
  const std::vector<std::string> kBroken = {
      "not a line",      "m{a=\"1\"",     "m 1 2 3",       "m{a=\"1\",a=\"2\"} 1", "{} 1",
      "m{a=\"\xff\"} 1", "# TYPE m what", "m{a=\"open} 1", "{a=\"nameless\"} 1"};

  Random& random_;
  const size_t series_max_;
  uint64_t error_rarity_;
  uint64_t own_times_;
  uint64_t churn_;
  TimestampMs timestamp_ = 0;
  std::vector<std::string> lines_;
  std::vector<std::string> gone_;
};

struct Setup {
  ScrapeRules rules;
  std::vector<RelabelConfig> relabel;
  Labels target;
};

RelabelConfig Rule(RelabelAction action, std::string regex) {
  RelabelConfig rule;
  rule.action = action;
  rule.regex = std::move(regex);
  return rule;
}

Setup RandomSetup(Random& random, size_t series_max) {
  Setup setup;
  setup.target = {{"instance", "i"}, {"job", "j"}};
  if (OneIn(random, 4)) setup.target.Set("exported_job", "outer");
  ScrapeRules& rules = setup.rules;
  rules.honor_labels = OneIn(random, 3);
  rules.honor_timestamps = !OneIn(random, 4);
  rules.track_timestamps_staleness = OneIn(random, 3);
  rules.extra_metrics = OneIn(random, 3);
  if (OneIn(random, 5)) rules.sample_limit = 1 + random() % (series_max + 1);
  if (OneIn(random, 8)) rules.label_limit = 5;
  if (OneIn(random, 8)) rules.label_name_length_limit = 14;
  if (OneIn(random, 8)) rules.label_value_length_limit = 18;
  if (OneIn(random, 4)) rules.out_of_order_window_ms = 20'000;
  if (OneIn(random, 2)) {
    RelabelConfig drop = Rule(RelabelAction::kDrop, "drop_.*");
    drop.source_labels = {"__name__"};
    setup.relabel.push_back(drop);
  }
  if (OneIn(random, 2)) setup.relabel.push_back(Rule(RelabelAction::kLabelDrop, "id"));
  if (OneIn(random, 3)) {
    RelabelConfig rename = Rule(RelabelAction::kReplace, "m0|rename_me");
    rename.source_labels = {"__name__"};
    rename.target_label = "__name__";
    rename.replacement = "m1";
    setup.relabel.push_back(rename);
  }
  if (OneIn(random, 10)) {
    RelabelConfig unname = Rule(RelabelAction::kReplace, "rename_me");
    unname.source_labels = {"__name__"};
    unname.target_label = "__name__";
    unname.replacement = "";
    setup.relabel.push_back(unname);
  }
  rules.metric_relabel = RelabelRules(setup.relabel, NameValidation::kUtf8);
  return setup;
}

// Each series' samples in order, those with own times sorted around the scrape's.
using BySeries = std::map<Labels, std::vector<std::pair<TimestampMs, uint64_t>>>;

BySeries Arrange(const std::vector<DecodedSample>& samples) {
  BySeries series;
  for (const DecodedSample& sample : samples) {
    series[sample.labels].emplace_back(sample.timestamp, sample.bits);
  }
  return series;
}

BySeries Arrange(std::vector<SlowScrapeModel::Sample> samples, TimestampMs timestamp) {
  // Before the scrape; the first of the scrape itself; what follows, in the page's order.
  std::map<Labels, size_t> first_of_scrape;
  for (size_t i = 0; i < samples.size(); i++) {
    if (!samples[i].own) first_of_scrape.emplace(samples[i].labels, i);
  }
  BySeries series;
  for (int part = 0; part < 3; part++) {
    for (size_t i = 0; i < samples.size(); i++) {
      const SlowScrapeModel::Sample& sample = samples[i];
      auto first = first_of_scrape.find(sample.labels);
      const bool is_first = first != first_of_scrape.end() && first->second == i;
      const int own_part = is_first ? 1 : sample.timestamp < timestamp ? 0 : 2;
      if (own_part == part) {
        series[sample.labels].emplace_back(sample.timestamp, sample.bits);
      }
    }
  }
  return series;
}

std::string Difference(const BySeries& expected, const BySeries& got) {
  std::string text;
  auto show = [&](const char* what, const Labels& labels, const auto& samples) {
    for (const auto& [time, bits] : samples) {
      text += fmt::format("  {} {}\n", what, Show(DecodedSample{labels, time, bits}));
    }
  };
  for (const auto& [labels, samples] : expected) {
    auto it = got.find(labels);
    if (it != got.end() && it->second == samples) continue;
    show("expected", labels, samples);
    if (it != got.end()) show("got     ", labels, it->second);
  }
  for (const auto& [labels, samples] : got) {
    if (!expected.contains(labels)) show("surplus ", labels, samples);
  }
  return text;
}

std::string Difference(const PageTotals& expected, const PageTotals& got) {
  std::string text;
  const auto compare = [&](const char* name, uint64_t a, uint64_t b) {
    if (a != b) text += fmt::format("  {}: expected {}, got {}\n", name, a, b);
  };
  compare("lines_total", expected.lines_total, got.lines_total);
  compare("samples_added", expected.samples_added, got.samples_added);
  compare("series_added", expected.series_added, got.series_added);
  compare("out_of_order", expected.out_of_order, got.out_of_order);
  compare("duplicates", expected.duplicates, got.duplicates);
  compare("out_of_bounds", expected.out_of_bounds, got.out_of_bounds);
  compare("over_sample_limit", expected.over_sample_limit, got.over_sample_limit);
  compare("over_label_limit", expected.over_label_limit, got.over_label_limit);
  return text;
}

// The lines that the model knows, by what they stand for.
std::string Difference(const SlowScrapeModel& model, const LayoutRig& rig) {
  const std::map<uint32_t, Labels> places = PlacesOf(rig.layout_);
  std::map<uint64_t, uint32_t> lines;
  const KnownLines& known = rig.layout_.lines();
  for (uint32_t line = 0; line < known.size(); line++) {
    if (!lines.emplace(known.hash(line), line).second) return "  a line is known twice\n";
  }
  std::string text;
  size_t accepted = 0, dropped = 0;
  for (const auto& [series, cached] : model.known()) {
    auto line = lines.find(rig.hash_(series));
    if (line == lines.end()) {
      text += "  not known: " + series + "\n";
    } else if (auto place = places.find(known.place(line->second)); place == places.end()) {
      text += "  without a series: " + series + "\n";
    } else if (place->second != cached.labels) {
      text += "  wrong labels: " + series + " " + place->second.ToString() + "\n";
    } else if (!known.accepted(line->second)) {
      text += "  not accepted: " + series + "\n";
    }
  }
  for (uint32_t line = 0; line < known.size(); line++) {
    accepted += known.accepted(line);
    dropped += known.place(line) == KnownLines::kDropped;
  }
  if (accepted != model.known().size()) text += "  more lines are accepted\n";
  if (dropped != model.dropped().size()) text += "  the dropped lines differ\n";
  return text;
}

// What the last good page says of families.
std::string MetadataDifference(const SlowScrapeModel& model, MetadataPool& pool) {
  std::string text;
  const std::vector<FamilyRef> in_use = pool.InUse();
  for (const auto& [name, family] : model.families()) {
    const bool found = std::any_of(in_use.begin(), in_use.end(), [&](const FamilyRef& ref) {
      // What a page leaves unsaid keeps what an earlier one said.
      return ref->family == name &&
             (family.type == MetricType::kUnknown || ref->type == family.type) &&
             (family.help.empty() || ref->help == family.help);
    });
    if (!found) text += "  no metadata of " + name + "\n";
  }
  return text;
}

class Comparison {
 public:
  Comparison(uint64_t seed, size_t series_max)
      : random_(seed),
        setup_(RandomSetup(random_, series_max)),
        pages_(random_, series_max),
        model_(setup_.rules, setup_.relabel, setup_.target),
        rig_(setup_.rules) {
    rig_.target_ = setup_.target;
  }

  // What differs, or "".
  std::string Scrape() {
    timestamp_ += OneIn(random_, 20) ? 60'000 + static_cast<TimestampMs>(random_() % 5) : 15'000;
    if (OneIn(random_, 40)) {
      model_.ForgetLines();
      rig_.layout_.ForgetLines();
    }
    const std::string page = pages_.Next(timestamp_);
    page_ = page;
    if (OneIn(random_, 40)) {
      // A scrape that is taken back leaves no trace.
      PageReader reader = rig_.Reader(timestamp_);
      reader.Push(page);
      reader.AbandonPage();
      reader.Withdraw();
    }
    ScrapeReport report;
    report.up = random_() % 2;
    report.duration_seconds = static_cast<double>(random_() % 100) / 64;
    report.timeout_seconds = 10;
    report.sample_limit = static_cast<double>(setup_.rules.sample_limit);
    report.body_bytes = static_cast<double>(page.size());
    const bool broken = OneIn(random_, 12);
    const SlowScrapeModel::Outcome expected =
        model_.Scrape(broken ? std::nullopt : std::optional(page), timestamp_, timestamp_, report);
    const uint32_t generation = rig_.layout_.generation();
    const LayoutRig::Scraped got =
        broken ? rig_.Break(page.substr(0, random_() % (page.size() + 1)), timestamp_, &report)
               : rig_.Scrape(page, timestamp_, &random_, &report);
    scrapes_++;
    samples_ += expected.samples.size();
    failed_pages_ += !expected.good;
    std::string text =
        Difference(Arrange(expected.samples, timestamp_), Arrange(Decode(got.commit)));
    text += Difference(expected.totals, got.totals);
    if (expected.good != got.error.empty()) text += "  the page: '" + got.error + "'\n";
    text += BrokenInvariant(rig_.layout_);
    text += Difference(model_, rig_);
    // A page that failed may change what is said of families, until the next good one.
    if (expected.good && !broken && !page.empty()) text += MetadataDifference(model_, rig_.pool_);
    if (rig_.layout_.generation() != generation) NoteRegrouping();
    return text;
  }

  std::string End() {
    timestamp_ += 15'000;
    const Commit end =
        PageIntake::MakeEndCommit(rig_.layout_, timestamp_, [](std::string_view) { return false; });
    // The end commit knows no window.
    if (setup_.rules.out_of_order_window_ms > 0) return "";
    BySeries expected = Arrange(model_.End(timestamp_), timestamp_);
    // One marker is enough for a report series that the page has as well.
    for (auto& [labels, samples] : expected) samples.resize(1);
    return Difference(expected, Arrange(Decode(end)));
  }

  const std::string& page() const { return page_; }
  uint64_t scrapes_ = 0, samples_ = 0, failed_pages_ = 0, regroupings_ = 0;

 private:
  void NoteRegrouping() {
    regroupings_++;
    std::map<Labels, bool> living;
    for (const auto& [place, labels] : PlacesOf(rig_.layout_)) living[labels] = true;
    model_.ForgetTimes([&](const Labels& labels) { return !living.contains(labels); });
  }

  Random random_;
  Setup setup_;
  RandomPages pages_;
  SlowScrapeModel model_;
  LayoutRig rig_;
  TimestampMs timestamp_ = 1'700'000'000'000;
  std::string page_;
};

// TRIBUTARY_SEED=n replays one sequence.
std::vector<uint64_t> Seeds(size_t count) {
  if (const char* seed = std::getenv("TRIBUTARY_SEED")) return {std::strtoull(seed, nullptr, 10)};
  std::random_device device;
  std::vector<uint64_t> seeds;
  for (size_t i = 0; i < count; i++) seeds.push_back((uint64_t{device()} << 32) | device());
  return seeds;
}

void CompareMany(size_t sequences, size_t scrapes, size_t series_max) {
  uint64_t total = 0, samples = 0, failed = 0, regroupings = 0;
  for (const uint64_t seed : Seeds(sequences)) {
    Comparison comparison(seed, series_max);
    std::string difference;
    for (size_t i = 0; i < scrapes && difference.empty(); i++) difference = comparison.Scrape();
    const std::string page = comparison.page();
    if (difference.empty()) difference = comparison.End();
    INFO("TRIBUTARY_SEED=" << seed << ", " << series_max << " series, scrape "
                           << comparison.scrapes_ << "\n"
                           << difference << "page:\n"
                           << page.substr(0, 4000));
    REQUIRE(difference.empty());
    total += comparison.scrapes_;
    samples += comparison.samples_;
    failed += comparison.failed_pages_;
    regroupings += comparison.regroupings_;
  }
  INFO(total << " scrapes, " << samples << " samples, " << failed << " failed pages, "
             << regroupings << " regroupings");
  // The pages must reach what they are for.
  if (std::getenv("TRIBUTARY_SEED") == nullptr && total > 1000) {
    CHECK(failed > total / 20);
    CHECK(failed < total / 2);
    CHECK(regroupings > total / 100);
  }
}

TEST_CASE("layout: random scrapes of small targets commit what Prometheus would") {
  CompareMany(300, 40, 24);
}

TEST_CASE("layout: random scrapes of targets of several groups commit what Prometheus would") {
  CompareMany(4, 25, 1500);
}

}  // namespace
}  // namespace tributary
