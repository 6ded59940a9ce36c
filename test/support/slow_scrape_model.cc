#include "test/support/slow_scrape_model.h"

#include <algorithm>
#include <bit>
#include <set>

#include "common/base/utf8.h"
#include "common/exposition/text_parser.h"
#include "test/support/relabel/slow_relabel.h"
#include "test/support/slow_text_parser.h"

namespace tributary {
namespace {

constexpr TimestampMs kTenMinutes = 600'000;

MetricType TypeFromWord(const std::string& word) {
  const std::map<std::string, MetricType> types = {{"counter", MetricType::kCounter},
                                                   {"gauge", MetricType::kGauge},
                                                   {"histogram", MetricType::kHistogram},
                                                   {"summary", MetricType::kSummary}};
  auto it = types.find(word);
  return it == types.end() ? MetricType::kUnknown : it->second;
}

}  // namespace

SlowScrapeModel::Outcome SlowScrapeModel::Scrape(const std::optional<std::string>& page,
                                                 TimestampMs timestamp, TimestampMs now,
                                                 const ScrapeReport& report) {
  Outcome outcome;
  if (!page || page->empty()) {
    AppendEmpty(timestamp);
  } else {
    Page reading{*page, timestamp, now, 0, "", {}};
    outcome.good = AppendPage(reading, outcome.totals);
    if (outcome.good) {
      AddStaleMarkers(timestamp);
      EndIteration(true);
      families_ = reading.families;
    } else {
      pending_.clear();
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
  outcome.samples = CommitPending();
  return outcome;
}

std::vector<SlowScrapeModel::Sample> SlowScrapeModel::End(TimestampMs timestamp) {
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
}

bool SlowScrapeModel::AppendPage(Page& page, PageTotals& totals) {
  const TextPage parsed = SlowParsePage(page.text);
  for (const TextEntry& entry : parsed.entries) {
    if (entry.kind == LineKind::kType) {
      page.type = entry.text;
      page.families[entry.family].type = TypeFromWord(entry.text);
    } else if (entry.kind == LineKind::kHelp) {
      page.families[entry.family].help = entry.text;
    } else if (entry.kind == LineKind::kSample && !TakeSample(page, entry, totals)) {
      return false;
    }
  }
  return parsed.good && !totals.over_sample_limit;
}

void SlowScrapeModel::AppendEmpty(TimestampMs timestamp) {
  AddStaleMarkers(timestamp);
  EndIteration(false);
}

bool SlowScrapeModel::TakeSample(Page& page, const TextEntry& entry, PageTotals& totals) {
  totals.lines_total++;
  const bool own = entry.timestamp && rules_.honor_timestamps;
  if (auto dropped = dropped_.find(entry.series); dropped != dropped_.end()) {
    dropped->second = iteration_;
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
    const std::optional<Labels> mutated = Mutate(page, entry);
    if (!mutated) {
      dropped_[entry.series] = iteration_;
      return true;
    }
    labels = *mutated;
    if (BreaksRules(labels, totals)) return false;
  }
  bool added = false;
  if (scraped_before && !own) {
    totals.duplicates++;
  } else {
    const Appended appended =
        AppendLimited(page, labels, own ? *entry.timestamp : page.timestamp, entry.value_bits, own);
    added = appended == Appended::kYes;
    totals.over_sample_limit |= appended == Appended::kOverLimit;
    totals.out_of_bounds += appended == Appended::kOutOfBounds;
    totals.out_of_order += appended == Appended::kOutOfOrder;
  }
  if (added && cached == series_.end()) {
    series_[entry.series] = {labels, iteration_};
    totals.series_added += !totals.over_sample_limit;
  }
  if (added && (!own || rules_.track_timestamps_staleness)) tracked_now_[labels] = true;
  totals.samples_added++;
  return true;
}

// Nothing: dropped.
std::optional<Labels> SlowScrapeModel::Mutate(const Page& page, const TextEntry& entry) const {
  std::map<std::string, std::string> exposed, result;
  for (const auto& [name, value] : *entry.labels) exposed[name] = value;
  result = exposed;
  if (rules_.honor_labels) {
    std::vector<std::string> emptied;
    (void)ParseSeries(entry.series, page.type, &emptied);
    for (const std::string& name : emptied) exposed[name] = "";
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
                                                         TimestampMs timestamp, uint64_t bits,
                                                         bool own) {
  if (rules_.sample_limit > 0 && ++page.limited > rules_.sample_limit) return Appended::kOverLimit;
  if (timestamp > page.now + kTenMinutes) return Appended::kOutOfBounds;
  return Append(labels, timestamp, bits, own);
}

SlowScrapeModel::Appended SlowScrapeModel::Append(const Labels& labels, TimestampMs timestamp,
                                                  uint64_t bits, bool own) {
  auto latest = latest_.find(labels);
  if (latest != latest_.end() && timestamp <= latest->second - rules_.out_of_order_window_ms) {
    return Appended::kOutOfOrder;
  }
  pending_.push_back({labels, timestamp, bits, own});
  return Appended::kYes;
}

void SlowScrapeModel::AddStaleMarkers(TimestampMs timestamp) {
  for (const auto& [labels, tracked] : tracked_before_) {
    if (!tracked_now_.contains(labels)) Append(labels, timestamp, kStaleNanBits, false);
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
    Append(labels, timestamp, std::bit_cast<uint64_t>(values[i]), false);
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

std::vector<SlowScrapeModel::Sample> SlowScrapeModel::CommitPending() {
  for (const Sample& sample : pending_) {
    auto [it, is_new] = latest_.emplace(sample.labels, sample.timestamp);
    it->second = std::max(it->second, sample.timestamp);
  }
  std::vector<Sample> committed;
  committed.swap(pending_);
  return committed;
}

}  // namespace tributary
