#include "test/support/slow_scrape_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "common/base/utf8.h"
#include "common/exposition/exemplar.h"
#include "common/histogram/limits.h"
#include "common/histogram/validate.h"
#include "test/support/relabel/slow_relabel.h"
#include "test/support/slow_protobuf_page.h"

namespace tributary {
namespace {

constexpr TimestampMs kTenMinutes = 600'000;

MetricType TypeFromWord(const std::string& word) {
  const std::map<std::string, MetricType> types = {
      {"counter", MetricType::kCounter},     {"gauge", MetricType::kGauge},
      {"histogram", MetricType::kHistogram}, {"gaugehistogram", MetricType::kGaugeHistogram},
      {"summary", MetricType::kSummary},     {"info", MetricType::kInfo},
      {"stateset", MetricType::kStateset}};
  auto it = types.find(word);
  return it == types.end() ? MetricType::kUnknown : it->second;
}

// The words of the types by their numbers in the protobuf format.
std::string TypeWord(int type) {
  return std::vector<std::string>{"counter", "gauge",     "summary",
                                  "untyped", "histogram", "gaugehistogram"}
      .at(static_cast<size_t>(type));
}

SlowPageEntry ToEntry(const ProtobufSeriesText& series, double value,
                      const NativeHistogram* histogram) {
  SlowPageEntry entry;
  entry.series = SlowScrapeModel::kProtobufMark;
  std::map<std::string, std::vector<std::string>> values;
  for (const auto& [name, label_value] : series.labels) {
    entry.series += name + '\xff' + label_value + '\xff';
    values[name].push_back(label_value);
  }
  entry.labels.emplace();
  for (const auto& [name, of_name] : values) {
    if (std::find(of_name.begin(), of_name.end(), "") != of_name.end()) {
      entry.emptied.push_back(name);
    } else if (of_name.size() > 1) {
      entry.labels.reset();
      break;
    } else {
      entry.labels->emplace_back(name, of_name[0]);
    }
  }
  entry.value = value;
  if (histogram != nullptr) entry.histogram = *histogram;
  entry.timestamp = series.timestamp;
  entry.start = series.start.value_or(0);
  for (const ProtobufSeriesText::Exemplar& from : series.exemplars) {
    SlowExemplar& exemplar = entry.exemplars.emplace_back();
    std::vector<Label> labels;
    for (const auto& [name, label_value] : from.labels) labels.push_back({name, label_value});
    if (auto made = MakeExemplarLabels(std::move(labels))) exemplar.labels = *made;
    exemplar.value = from.value;
    exemplar.timestamp = from.timestamp;
  }
  return entry;
}

}  // namespace

SlowScrapeModel::Outcome SlowScrapeModel::Scrape(PageFormat format,
                                                 const std::optional<std::string>& page,
                                                 TimestampMs timestamp, TimestampMs now,
                                                 const ScrapeReport& report) {
  Outcome outcome;
  if (!page || page->empty()) {
    AppendEmpty(timestamp);
  } else {
    Page reading{timestamp, now, 0, {}};
    outcome.good = AppendPage(format, *page, reading, outcome.totals);
    if (outcome.good) {
      AddStaleMarkers(timestamp);
      EndIteration(true);
      families_ = reading.families;
    } else {
      pending_ = {};
      AppendEmpty(timestamp);
    }
  }
  const PageTotals& totals = outcome.totals;
  std::vector<double> values = {
      report.up ? 1.0 : 0.0, report.duration_seconds, static_cast<double>(totals.lines_total),
      static_cast<double>(totals.samples_added), static_cast<double>(totals.series_added)};
  if (rules_.extra_metrics) {
    values.insert(values.end(), {report.timeout_seconds, report.sample_limit, report.body_bytes});
  }
  AddReports(timestamp, values);
  outcome.commit = CommitPending();
  return outcome;
}

SlowScrapeModel::Commit SlowScrapeModel::End(TimestampMs timestamp) {
  AppendEmpty(timestamp);
  AddReports(timestamp, std::vector<double>(rules_.extra_metrics ? 8 : 5, StaleNan()));
  return CommitPending();
}

void SlowScrapeModel::ForgetLines() {
  series_.clear();
  dropped_.clear();
}

void SlowScrapeModel::ForgetTimes(const std::function<bool(const Labels&)>& gone) {
  std::erase_if(latest_, [&](const auto& entry) { return gone(entry.first); });
  std::erase_if(latest_exemplars_, [&](const auto& entry) { return gone(entry.first); });
}

bool SlowScrapeModel::AppendPage(PageFormat format, const std::string& text, Page& page,
                                 PageTotals& totals) {
  bool good = true;
  if (format == PageFormat::kProtobuf) {
    good = AppendProtobuf(text, page, totals);
  } else {
    SlowPageEntries parsed = format == PageFormat::kPrometheusText
                                 ? SlowTextEntries(text)
                                 : SlowOpenMetricsEntries(text, rules_.keep_starts);
    if (mode_.convert_classic) parsed = SlowCollate(parsed, mode_.keep_classic);
    for (const SlowPageEntry& entry : parsed.entries) {
      if (!TakeEntry(page, entry, totals)) return false;
    }
    good = parsed.good;
  }
  return good && !totals.over_sample_limit && !totals.over_bucket_limit;
}

bool SlowScrapeModel::AppendProtobuf(const std::string& text, Page& page, PageTotals& totals) {
  SlowProtobufSink sink;
  sink.family = [&](const ProtobufFamilyText& family) {
    if (page.families.contains(family.name)) contradicted_.insert(family.name);
    page.families[family.name] = {TypeFromWord(TypeWord(family.type)), family.help, family.unit};
  };
  sink.wants_exemplars = [&](const ProtobufSeriesText& series) {
    return WantsExemplars(ToEntry(series, 0, nullptr));
  };
  sink.take = [&](const ProtobufSeriesText& series, double value,
                  const NativeHistogram* histogram) {
    return TakeEntry(page, ToEntry(series, value, histogram), totals);
  };
  const SlowProtobufEnd end = ReadProtobufPageSlowly(
      text, {!mode_.native, mode_.keep_classic, mode_.convert_classic}, sink);
  return end == SlowProtobufEnd::kGood;
}

void SlowScrapeModel::AppendEmpty(TimestampMs timestamp) {
  AddStaleMarkers(timestamp);
  EndIteration(false);
}

bool SlowScrapeModel::TakeEntry(Page& page, const SlowPageEntry& entry, PageTotals& totals) {
  switch (entry.kind) {
    case LineKind::kType:
      page.families[entry.family].type = TypeFromWord(entry.text);
      return true;
    case LineKind::kHelp:
      page.families[entry.family].help = entry.text;
      return true;
    case LineKind::kUnit:
      page.families[entry.family].unit = entry.text;
      return true;
    case LineKind::kSample:
      return TakeSample(page, entry, totals);
    default:
      return true;
  }
}

bool SlowScrapeModel::TakeSample(Page& page, const SlowPageEntry& entry, PageTotals& totals) {
  totals.lines_total++;
  const bool own = entry.timestamp && rules_.honor_timestamps;
  if (auto dropped = dropped_.find(entry.series); dropped != dropped_.end()) {
    dropped->second = iteration_;
    totals.dropped++;
    return true;
  }
  auto cached = series_.find(entry.series);
  bool scraped_before = false;
  Labels labels;
  if (cached != series_.end()) {
    scraped_before = cached->second.last_iteration == iteration_;
    cached->second.last_iteration = iteration_;
    labels = cached->second.labels;
  } else {
    if (!entry.labels) return false;
    const std::optional<Labels> mutated = Mutate(entry);
    if (!mutated) {
      dropped_[entry.series] = iteration_;
      totals.dropped++;
      return true;
    }
    labels = *mutated;
    if (BreaksRules(labels, totals)) return false;
  }
  bool added = false;
  if (scraped_before && !own) {
    totals.duplicates++;
  } else {
    const Appended appended = AppendLimited(page, labels, entry);
    if (appended == Appended::kInvalid) return false;
    added = appended == Appended::kYes;
    totals.over_sample_limit |= appended == Appended::kOverLimit;
    totals.over_bucket_limit |= appended == Appended::kOverBuckets;
    totals.out_of_bounds += appended == Appended::kOutOfBounds;
    totals.out_of_order += appended == Appended::kOutOfOrder;
  }
  if (added && cached == series_.end()) {
    series_[entry.series] = {labels, iteration_};
    totals.series_added += !totals.over_sample_limit && !totals.over_bucket_limit;
  }
  if (added && (!own || rules_.track_timestamps_staleness)) tracked_now_[labels] = true;
  totals.samples_added++;
  return true;
}

bool SlowScrapeModel::WantsExemplars(const SlowPageEntry& entry) const {
  if (dropped_.contains(entry.series)) return false;
  auto cached = series_.find(entry.series);
  if (cached == series_.end()) return entry.labels && Mutate(entry);
  const bool own = entry.timestamp && rules_.honor_timestamps;
  return own || cached->second.last_iteration != iteration_;
}

// Nothing: dropped.
std::optional<Labels> SlowScrapeModel::Mutate(const SlowPageEntry& entry) const {
  std::map<std::string, std::string> exposed, result;
  for (const auto& [name, value] : *entry.labels) exposed[name] = value;
  result = exposed;
  if (rules_.honor_labels) {
    for (const std::string& name : entry.emptied) exposed[name] = "";
    for (const Label& label : target_) {
      if (!exposed.contains(label.name)) result[label.name] = label.value;
    }
  } else {
    std::vector<Label> conflicts;
    for (const Label& label : target_) {
      if (exposed.contains(label.name)) conflicts.push_back({label.name, exposed[label.name]});
      result[label.name] = label.value;
    }
    std::stable_sort(conflicts.begin(), conflicts.end(),
                     [](const Label& a, const Label& b) { return a.name.size() < b.name.size(); });
    for (const Label& conflict : conflicts) {
      std::string name = "exported_" + conflict.name;
      while (result.contains(name)) name = "exported_" + name;
      result[name] = conflict.value;
    }
  }
  Labels labels;
  for (const auto& [name, value] : result) labels.Set(name, value);
  std::optional<Labels> relabelled = SlowRelabel(relabel_, labels);
  if (!relabelled || relabelled->empty()) return std::nullopt;
  return relabelled;
}

bool SlowScrapeModel::BreaksRules(const Labels& labels, PageTotals& totals) const {
  if (!labels.Has("__name__")) return true;
  for (const Label& label : labels) {
    if (label.name.empty() || !IsValidUtf8(label.name) || !IsValidUtf8(label.value)) return true;
  }
  bool over = rules_.label_limit > 0 && labels.size() > rules_.label_limit;
  for (const Label& label : labels) {
    over |=
        rules_.label_name_length_limit > 0 && label.name.size() > rules_.label_name_length_limit;
    over |=
        rules_.label_value_length_limit > 0 && label.value.size() > rules_.label_value_length_limit;
  }
  totals.over_label_limit |= over;
  return over;
}

SlowScrapeModel::Appended SlowScrapeModel::AppendLimited(Page& page, const Labels& labels,
                                                         const SlowPageEntry& entry) {
  SlowPageEntry limited = entry;
  if (limited.histogram) {
    const auto outcome = LimitHistogram(rules_.histogram_limits, *limited.histogram);
    if (outcome == HistogramLimitOutcome::kTooManyBuckets) return Appended::kOverBuckets;
    if (outcome == HistogramLimitOutcome::kInvalid) return Appended::kInvalid;
  }
  if (rules_.sample_limit > 0 && ++page.limited > rules_.sample_limit) return Appended::kOverLimit;
  const bool own = entry.timestamp && rules_.honor_timestamps;
  const TimestampMs timestamp = own ? *entry.timestamp : page.timestamp;
  if (timestamp > page.now + kTenMinutes) return Appended::kOutOfBounds;
  if (limited.histogram && !ValidateHistogram(*limited.histogram)) return Appended::kInvalid;
  return Append(labels, timestamp, limited, own);
}

SlowScrapeModel::Appended SlowScrapeModel::Append(const Labels& labels, TimestampMs timestamp,
                                                  const SlowPageEntry& entry, bool own) {
  auto latest = latest_.find(labels);
  if (latest != latest_.end() && timestamp <= latest->second - rules_.out_of_order_window_ms) {
    return Appended::kOutOfOrder;
  }
  const TimestampMs start = rules_.keep_starts ? entry.start : 0;
  if (entry.histogram) {
    pending_.histograms.push_back({labels, timestamp, start, *entry.histogram});
  } else {
    pending_.samples.push_back(
        {labels, timestamp, std::bit_cast<uint64_t>(entry.value), own, start});
  }
  AppendExemplars(labels, timestamp, entry);
  return Appended::kYes;
}

void SlowScrapeModel::AppendExemplars(const Labels& series, TimestampMs sample_time,
                                      const SlowPageEntry& entry) {
  std::vector<Exemplar> exemplars;
  for (const SlowExemplar& from : entry.exemplars) {
    if (!from.labels) continue;
    exemplars.push_back({series, *from.labels, from.value, from.timestamp.value_or(sample_time),
                         from.timestamp.has_value()});
  }
  // NaN has no place among numbers; pages have none of those where it matters.
  std::stable_sort(exemplars.begin(), exemplars.end(), [](const Exemplar& a, const Exemplar& b) {
    if (a.timestamp != b.timestamp) return a.timestamp < b.timestamp;
    if (std::isnan(a.value) != std::isnan(b.value)) return std::isnan(a.value);
    if (a.value < b.value || a.value > b.value) return a.value < b.value;
    return a.labels < b.labels;
  });
  for (const Exemplar& exemplar : exemplars) {
    const Exemplar* last = nullptr;
    if (auto committed = latest_exemplars_.find(series); committed != latest_exemplars_.end()) {
      last = &committed->second;
    }
    for (const Exemplar& pending : pending_.exemplars) {
      if (pending.series == series) last = &pending;
    }
    const bool same =
        last != nullptr && last->labels == exemplar.labels && last->value == exemplar.value &&
        ((!last->has_own_time && !exemplar.has_own_time) || last->timestamp == exemplar.timestamp);
    if (!same) pending_.exemplars.push_back(exemplar);
  }
}

void SlowScrapeModel::AppendFloat(const Labels& labels, TimestampMs timestamp, double value) {
  SlowPageEntry entry;
  entry.value = value;
  Append(labels, timestamp, entry, false);
}

void SlowScrapeModel::AddStaleMarkers(TimestampMs timestamp) {
  for (const auto& [labels, tracked] : tracked_before_) {
    if (!tracked_now_.contains(labels)) AppendFloat(labels, timestamp, StaleNan());
  }
}

void SlowScrapeModel::AddReports(TimestampMs timestamp, const std::vector<double>& values) {
  const std::vector<std::string> names = {"up",
                                          "scrape_duration_seconds",
                                          "scrape_samples_scraped",
                                          "scrape_samples_post_metric_relabeling",
                                          "scrape_series_added",
                                          "scrape_timeout_seconds",
                                          "scrape_sample_limit",
                                          "scrape_body_size_bytes"};
  for (size_t i = 0; i < values.size(); i++) {
    std::map<std::string, std::string> report;
    report["__name__"] = names[i];
    for (const Label& label : target_) {
      report["exported_" + label.name] = "";
      report[label.name] = label.value;
    }
    Labels labels;
    for (const auto& [name, value] : report) labels.Set(name, value);
    AppendFloat(labels, timestamp, values[i]);
  }
}

void SlowScrapeModel::EndIteration(bool flush) {
  if (flush) {
    std::erase_if(series_,
                  [&](const auto& entry) { return entry.second.last_iteration != iteration_; });
    std::erase_if(dropped_, [&](const auto& entry) { return entry.second != iteration_; });
  }
  tracked_before_ = tracked_now_;
  tracked_now_.clear();
  iteration_++;
}

SlowScrapeModel::Commit SlowScrapeModel::CommitPending() {
  const auto note = [this](const auto& sample) {
    auto [it, is_new] = latest_.emplace(sample.labels, sample.timestamp);
    it->second = std::max(it->second, sample.timestamp);
  };
  for (const Sample& sample : pending_.samples) note(sample);
  for (const Histogram& histogram : pending_.histograms) note(histogram);
  for (const Exemplar& exemplar : pending_.exemplars) {
    latest_exemplars_.insert_or_assign(exemplar.series, exemplar);
  }
  return std::exchange(pending_, {});
}

}  // namespace tributary
