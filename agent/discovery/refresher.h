// When a provider that asks others for its targets does so: at once, and then at each tick of an
// interval that counts from the end of the first time. Never twice at a time: ticks that fall into
// a refresh are made up for by one right after it. Follows prometheus/prometheus
// discovery/refresh/refresh.go (3.16).
//
// Control loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/discovery/sd_counters.h"
#include "agent/telemetry/metric_sink.h"
#include "common/event/event_loop.h"

namespace tributary {

class Refresher {
 public:
  struct Name {
    std::string mechanism;  // "http"
    std::string job;        // for which it was made first
  };

  // `refresh` begins one. Whoever does it calls Ended when it is over, never from inside. Loop and
  // counters must outlive it.
  Refresher(EventLoop& loop, SdCounters& counters, Name name, milliseconds interval,
            std::function<void()> refresh);

  void Start();
  void Ended(bool succeeded);
  // A refresh has ended, whether well or not.
  bool ended_once() const { return refreshes_ > 0; }

  void Collect(MetricSink& sink) const;

 private:
  void Begin();

  EventLoop& loop_;
  Histogram& histogram_;
  const Name name_;
  const milliseconds interval_;
  const std::function<void()> refresh_;
  Timer tick_;
  MonotonicTime ticked_{};  // the tick of the refresh under way, or of the last one
  MonotonicTime began_{};
  uint64_t refreshes_ = 0;
  uint64_t failures_ = 0;
  double seconds_ = 0;  // that all of them took
};

}  // namespace tributary
