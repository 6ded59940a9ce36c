#include "agent/limits/series_limits.h"

#include "agent/series/report_series.h"

namespace tributary {

namespace {

// A few targets at most are the agent itself; each regrouping keeps its key.
constexpr size_t kOwnMax = 1000;

void CollectOne(const SeriesLimitStatus& status, MetricSink& sink) {
  const MetricLabels labels = {{"scope", status.scope}, {"name", status.name}};
  sink.AddGreatest("tributary_series_limit",
                   "The most series that a target of the job, the job, a sender or the remote may "
                   "have.",
                   labels, static_cast<double>(status.limit));
  if (status.has_active) {
    sink.AddGreatest("tributary_series_limit_active_series",
                     "Series that count towards the limit of the job or remote.", labels,
                     static_cast<double>(status.active));
  }
  sink.AddCounter("tributary_series_limit_dropped_series_total",
                  "New series that were dropped as they were over a limit. One that was away and "
                  "comes again counts again.",
                  labels, static_cast<double>(status.dropped_series));
  sink.AddCounter("tributary_series_limit_dropped_samples_total",
                  "Samples of series that are dropped as they are over a limit.", labels,
                  static_cast<double>(status.dropped_samples));
  const auto offenders = [&](const char* by, const std::vector<SeriesOffender>& list, auto value) {
    for (const SeriesOffender& offender : list) {
      sink.AddGreatest(
          "tributary_series_limit_offender",
          "Who has most of the series that were dropped for a limit: sources and metrics by the "
          "number of these series, labels by that of their values in them. The 10 greatest, since "
          "the limit was last kept for an hour.",
          {{"scope", status.scope}, {"name", status.name}, {"by", by}, {"offender", offender.name}},
          static_cast<double>(value(offender)));
    }
  };
  const auto series = [](const SeriesOffender& offender) { return offender.series; };
  offenders("source", status.sources, series);
  offenders("metric", status.metrics, series);
  offenders("label", status.labels, [](const SeriesOffender& offender) { return offender.values; });
}

}  // namespace

bool IsAgentMetric(std::string_view name) {
  if (name.starts_with("tributary_")) return true;
  for (size_t i = 0; i < kReportSeries; i++) {
    if (name == ReportSeriesName(static_cast<ReportSeries>(i))) return true;
  }
  return false;
}

std::shared_ptr<SeriesLimit> SeriesLimits::Set(LimitScope scope, const std::string& name,
                                               uint64_t limit) {
  const std::lock_guard lock(mutex_);
  auto it = limits_.find({scope, name});
  if (it == limits_.end()) {
    if (limit == 0) return nullptr;
    auto made = std::make_shared<SeriesLimit>(scope, name);
    it = limits_.emplace(std::pair(scope, name), std::move(made)).first;
  }
  it->second->SetLimit(limit);
  return limit == 0 ? nullptr : it->second;
}

void SeriesLimits::Keep(LimitScope scope, const std::set<std::string>& names) {
  const std::lock_guard lock(mutex_);
  std::erase_if(limits_, [&](const auto& entry) {
    return entry.first.first == scope && !names.contains(entry.first.second);
  });
}

std::shared_ptr<SeriesLimit> SeriesLimits::SenderRoom(const std::string& sender) {
  const std::lock_guard lock(mutex_);
  if (auto room = sender_rooms_[sender].lock()) return room;
  std::erase_if(sender_rooms_, [](const auto& entry) { return entry.second.expired(); });
  auto room = std::make_shared<SeriesLimit>(LimitScope::kSender, sender);
  sender_rooms_[sender] = room;
  return room;
}

void SeriesLimits::NoteOwn(uint64_t target_key) {
  const std::lock_guard lock(mutex_);
  if (own_.size() < kOwnMax) own_.insert(target_key);
}

bool SeriesLimits::IsOwn(uint64_t target_key) const {
  const std::lock_guard lock(mutex_);
  return own_.contains(target_key);
}

std::vector<SeriesLimitStatus> SeriesLimits::Status() const {
  std::vector<SeriesLimitStatus> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, limit] : limits_) {
    if (limit->limit() > 0) all.push_back(limit->status());
  }
  return all;
}

void SeriesLimits::Collect(MetricSink& sink) const {
  for (const SeriesLimitStatus& status : Status()) CollectOne(status, sink);
}

}  // namespace tributary
