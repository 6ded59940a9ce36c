#include "agent/discovery/refresher.h"

#include <utility>

namespace tributary {
namespace {

Histogram& HistogramOf(SdCounters& counters, const std::string& mechanism) {
  return counters.refresh_seconds.try_emplace(mechanism, std::vector<double>{.01, .1, 1, 10})
      .first->second;
}

}  // namespace

Refresher::Refresher(EventLoop& loop, SdCounters& counters, Name name, milliseconds interval,
                     std::function<void()> refresh)
    : loop_(loop),
      histogram_(HistogramOf(counters, name.mechanism)),
      name_(std::move(name)),
      interval_(interval),
      refresh_(std::move(refresh)),
      tick_(loop) {}

void Refresher::Start() { Begin(); }

void Refresher::Begin() {
  began_ = loop_.Now();
  refresh_();
}

void Refresher::Ended(bool succeeded) {
  const MonotonicTime now = loop_.Now();
  const double took = std::chrono::duration<double>(now - began_).count();
  seconds_ += took;
  histogram_.Observe(took);
  if (!succeeded) failures_++;
  if (refreshes_++ == 0) ticked_ = now;
  MonotonicTime next = ticked_ + interval_;
  if (next < now) next += (now - next) / interval_ * interval_;  // the last tick that has passed
  ticked_ = next;
  tick_.Set(next, [this] { Begin(); });
}

void Refresher::Collect(MetricSink& sink) const {
  const MetricLabels labels = {{"mechanism", name_.mechanism}, {"config", name_.job}};
  sink.AddCounter("prometheus_sd_refresh_failures_total", "Refreshes that failed.", labels,
                  static_cast<double>(failures_));
  sink.AddSummary("prometheus_sd_refresh_duration_seconds", "How long refreshes take.", labels,
                  refreshes_, seconds_);
}

}  // namespace tributary
