// What the web server did not serve, and what it federated. Counted by its threads, read by any.
#pragma once

#include <atomic>
#include <cstdint>

#include "agent/telemetry/metric_sink.h"

namespace tributary {

struct WebCounters {
  std::atomic<uint64_t> crowded{0};      // silent connections that made room for others
  std::atomic<uint64_t> late{0};         // the head did not come in time
  std::atomic<uint64_t> too_large{0};    // the head
  std::atomic<uint64_t> tls{0};          // no TLS, or without the certificate that is demanded
  std::atomic<uint64_t> credentials{0};  // none, or wrong ones
  std::atomic<uint64_t> busy{0};         // too many were waiting

  std::atomic<uint64_t> federate_errors{0};   // pages that were broken off, or could not be made
  std::atomic<uint64_t> federated_series{0};  // written to pages

  void Collect(MetricSink& sink) const {
    for (const auto& [reason, count] :
         {std::pair("busy", &busy), std::pair("credentials", &credentials),
          std::pair("crowded", &crowded), std::pair("late", &late), std::pair("tls", &tls),
          std::pair("too_large", &too_large)}) {
      sink.AddCounter("tributary_web_refused_total",
                      "Connections and requests that the web server did not serve.",
                      {{"reason", reason}}, static_cast<double>(count->load()));
    }
    sink.AddCounter("prometheus_web_federation_errors_total",
                    "Pages of /federate that were broken off, or could not be made.", {},
                    static_cast<double>(federate_errors.load()));
    sink.AddCounter("tributary_federated_series_total", "Series written to pages of /federate.", {},
                    static_cast<double>(federated_series.load()));
  }
};

}  // namespace tributary
