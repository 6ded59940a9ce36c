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
//   - A protobuf page that fails inside a family which is malformed further on fails there, where
//     Prometheus has not begun the family: its series before that place count as scraped.
//   - A series without labels is known anew when its target goes from protobuf to a line format or
//     back.
//   - An exemplar of a page that failed is not remembered as the last one of its series.
//   - A series has one start on a page, though its lines may tell several.
//   - What Prometheus' storage forgets by garbage collection is forgotten at regroupings.
//   - Pages that fail for ever with new lines are forgotten as a whole (Prometheus keeps the last
//   one).
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <iostream>
#include <limits>

#include <fmt/format.h>

#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/support/slow_scrape_model.h"
#include "test/unit/agent/layout/layout_rig.h"
#include "test/unit/agent/layout/random_pages.h"

namespace tributary {
namespace {

struct Setup {
  ScrapeRules rules;
  std::vector<RelabelConfig> relabel;
  Labels target;
  HistogramMode mode;
  unsigned oddities = 0;
  bool cuts = false;
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
  rules.keep_starts = OneIn(random, 3);
  setup.mode.native = !OneIn(random, 4);
  setup.mode.keep_classic = OneIn(random, 3);
  setup.mode.convert_classic = OneIn(random, 2);
  if (OneIn(random, 4)) rules.histogram_limits.buckets_max = 1 + random() % 10;
  if (OneIn(random, 4)) {
    rules.histogram_limits.schema_max = static_cast<int32_t>(random() % 13) - 4;
  }
  // Of spans that do not fit the slow reader keeps only that they do not.
  const bool limited =
      rules.histogram_limits.buckets_max > 0 || rules.histogram_limits.schema_max < 8;
  if (!limited && OneIn(random, 2)) setup.oddities = 4;
  // Where a page fails before the family that is cut is known to be, the latter is not noticed.
  setup.cuts = setup.oddities == 0 && rules.label_limit == 0 &&
               rules.label_name_length_limit == 0 && rules.label_value_length_limit == 0;
  if (OneIn(random, 2)) {
    RelabelConfig drop = Rule(RelabelAction::kDrop, "drop_.*|family_1|family_2_count|hist1_sum");
    drop.source_labels = {"__name__"};
    setup.relabel.push_back(drop);
  }
  if (OneIn(random, 2)) setup.relabel.push_back(Rule(RelabelAction::kLabelDrop, "id|zone1"));
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

// Texts of each series, in order: of what the commits have beside floats.
using TextsBySeries = std::map<Labels, std::vector<std::string>>;

std::string HistogramText(TimestampMs time, TimestampMs start, bool custom,
                          const std::string& encoded) {
  std::string text = fmt::format("@ {} since {} custom {} ", time, start, custom);
  for (const char c : encoded) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string ExemplarText(const Labels& labels, double value, TimestampMs time) {
  return fmt::format("exemplar {} {:x} @ {}", labels.ToString(), std::bit_cast<uint64_t>(value),
                     time);
}

TextsBySeries IrregularTexts(const Commit& commit) {
  TextsBySeries texts;
  for (const auto& [labels, sample] : Histograms(commit)) {
    texts[labels].push_back(
        HistogramText(sample.timestamp, sample.start, sample.custom_buckets, sample.encoded));
  }
  for (const DecodedExemplar& exemplar : Exemplars(commit)) {
    texts[exemplar.series].push_back(
        ExemplarText(exemplar.labels, exemplar.value, exemplar.timestamp));
  }
  return texts;
}

TextsBySeries IrregularTexts(const SlowScrapeModel::Commit& commit) {
  TextsBySeries texts;
  for (const SlowScrapeModel::Histogram& from : commit.histograms) {
    std::string encoded;
    EncodeHistogram(from.histogram, encoded);
    texts[from.labels].push_back(HistogramText(
        from.timestamp, from.start, from.histogram.schema == kCustomBucketsSchema, encoded));
  }
  for (const SlowScrapeModel::Exemplar& exemplar : commit.exemplars) {
    texts[exemplar.series].push_back(
        ExemplarText(exemplar.labels, exemplar.value, exemplar.timestamp));
  }
  return texts;
}

std::string Difference(const TextsBySeries& expected, const TextsBySeries& got) {
  std::string text;
  const auto show = [&](const char* what, const TextsBySeries& all, const TextsBySeries& other) {
    for (const auto& [labels, texts] : all) {
      auto it = other.find(labels);
      if (it != other.end() && it->second == texts) continue;
      for (const std::string& line : texts) {
        text += fmt::format("  {} {} {}\n", what, labels.ToString(), line);
      }
    }
  };
  show("expected", expected, got);
  show("got     ", got, expected);
  return text;
}

// Of the series that have one float in the commit: a series' start is that of its page.
std::string StartsDifference(const SlowScrapeModel::Commit& expected, const Commit& got) {
  std::map<Labels, size_t> samples;
  for (const auto& sample : expected.samples) samples[sample.labels]++;
  const std::map<Labels, TimestampMs> starts = Starts(got);
  std::string text;
  for (const SlowScrapeModel::Sample& sample : expected.samples) {
    if (samples[sample.labels] > 1 || sample.bits == kStaleNanBits) continue;
    auto it = starts.find(sample.labels);
    const TimestampMs start = it == starts.end() ? 0 : it->second;
    if (start == sample.start) continue;
    text += fmt::format("  start of {}: expected {}, got {}\n", sample.labels.ToString(),
                        sample.start, start);
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
  compare("dropped", expected.dropped, got.dropped);
  compare("series_added", expected.series_added, got.series_added);
  compare("out_of_order", expected.out_of_order, got.out_of_order);
  compare("duplicates", expected.duplicates, got.duplicates);
  compare("out_of_bounds", expected.out_of_bounds, got.out_of_bounds);
  compare("over_sample_limit", expected.over_sample_limit, got.over_sample_limit);
  compare("over_label_limit", expected.over_label_limit, got.over_label_limit);
  compare("over_bucket_limit", expected.over_bucket_limit, got.over_bucket_limit);
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
    if (series[0] == SlowScrapeModel::kProtobufMark) continue;  // only counted
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
    if (model.contradicted().contains(name)) continue;
    const bool found = std::any_of(in_use.begin(), in_use.end(), [&](const FamilyRef& ref) {
      // What a page leaves unsaid keeps what an earlier one said.
      return ref->family == name &&
             (family.type == MetricType::kUnknown || ref->type == family.type) &&
             (family.help.empty() || ref->help == family.help) &&
             (family.unit.empty() || ref->unit == family.unit);
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
        pages_(random_, series_max, setup_.mode, setup_.oddities, setup_.cuts),
        model_(setup_.rules, setup_.relabel, setup_.target, setup_.mode),
        rig_(setup_.rules) {
    rig_.target_ = setup_.target;
    rig_.mode_ = setup_.mode;
  }

  // What differs, or "".
  std::string Scrape() {
    timestamp_ += OneIn(random_, 20) ? 60'000 + static_cast<TimestampMs>(random_() % 5) : 15'000;
    if (OneIn(random_, 40)) {
      model_.ForgetLines();
      rig_.layout_.ForgetLines();
    }
    const RandomPages::Page next = pages_.Next(timestamp_);
    const std::string& page = next.text;
    page_ = next;
    rig_.format_ = next.format;
    if (OneIn(random_, 40)) {
      // A scrape that is taken back leaves no trace.
      PageReader reader = rig_.Reader(timestamp_);
      reader.SetFormat(next.format);
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
    const SlowScrapeModel::Outcome expected = model_.Scrape(
        next.format, broken ? std::nullopt : std::optional(page), timestamp_, timestamp_, report);
    const uint32_t generation = rig_.layout_.generation();
    const LayoutRig::Scraped got =
        broken ? rig_.Break(page.substr(0, random_() % (page.size() + 1)), timestamp_, &report)
               : rig_.Scrape(page, timestamp_, &random_, &report);
    scrapes_++;
    counts_.samples += expected.commit.samples.size();
    counts_.histograms += expected.commit.histograms.size();
    counts_.exemplars += expected.commit.exemplars.size();
    failed_pages_ += !expected.good;
    std::string text =
        Difference(Arrange(expected.commit.samples, timestamp_), Arrange(Decode(got.commit)));
    text += Difference(IrregularTexts(expected.commit), IrregularTexts(got.commit));
    text += StartsDifference(expected.commit, got.commit);
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
    BySeries expected = Arrange(model_.End(timestamp_).samples, timestamp_);
    // One marker is enough for a report series that the page has as well.
    for (auto& [labels, samples] : expected) samples.resize(1);
    return Difference(expected, Arrange(Decode(end)));
  }

  const RandomPages::Page& page() const { return page_; }
  uint64_t scrapes_ = 0, failed_pages_ = 0, regroupings_ = 0;
  SampleCounts counts_;

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
  RandomPages::Page page_;
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
  uint64_t total = 0, failed = 0, regroupings = 0;
  SampleCounts counts;
  for (const uint64_t seed : Seeds(sequences)) {
    Comparison comparison(seed, series_max);
    std::string difference;
    for (size_t i = 0; i < scrapes && difference.empty(); i++) difference = comparison.Scrape();
    const RandomPages::Page page = comparison.page();
    if (difference.empty()) difference = comparison.End();
    INFO("TRIBUTARY_SEED=" << seed << ", " << series_max << " series, scrape "
                           << comparison.scrapes_ << "\n"
                           << difference << "page of format " << static_cast<int>(page.format)
                           << ":\n"
                           << page.text.substr(0, 4000));
    REQUIRE(difference.empty());
    total += comparison.scrapes_;
    counts += comparison.counts_;
    failed += comparison.failed_pages_;
    regroupings += comparison.regroupings_;
  }
  INFO(total << " scrapes, " << counts.samples << " samples, " << counts.histograms
             << " histograms, " << counts.exemplars << " exemplars, " << failed << " failed pages, "
             << regroupings << " regroupings");
  // The pages must reach what they are for.
  if (std::getenv("TRIBUTARY_SEED") == nullptr && total > 1000) {
    CHECK(failed > total / 20);
    CHECK(failed < total / 2);
    CHECK(regroupings > total / 200);
    CHECK(counts.histograms > total / 4);
    CHECK(counts.exemplars > total / 4);
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
