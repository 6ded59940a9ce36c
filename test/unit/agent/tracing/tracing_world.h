// A receiver of traces in the simulated network, and what exports to it.
#pragma once

#include <random>
#include <string>

#include "agent/tracing/tracer.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/trace_receiver.h"

namespace tributary {

struct TracingWorld {
  TracingWorld() : server(network.Listen("traces.test:4317", receiver.Script())) {}

  static TracingConfig TraceConfig(TracingProtocol protocol = TracingProtocol::kGrpc) {
    TracingConfig config;
    config.protocol = protocol;
    config.endpoint = "traces.test:4317";
    config.sampling_fraction = 1;
    config.insecure = true;
    return config;
  }
  TracingEnvironment environment() { return {loop, transport, files, logger}; }

  SimLoop loop;
  SimNetwork network{1};
  SimTransport transport{network, loop, "agent"};
  SimFileSystem files;
  Logger logger = Logger::Silent();
  TraceReceiver receiver;
  SimServer& server;
};

// All that were made, to the end.
inline uint64_t Accounted(const TracingStats& stats) {
  return stats.exported + stats.queue_full + stats.failed + stats.rejected + stats.stopped;
}

}  // namespace tributary
