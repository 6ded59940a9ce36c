// What a load asks of queue_config, of the agent and of the store that it writes to. Pure
// functions.
//
// Estimates: docs/performance.md has what the agent's figures were measured at, deploy/README.md
// those of the store. Shards as Prometheus counts them (storage/remote/queue_manager.go): a shard
// has one request under way, so one moves max_samples_per_send in a round trip.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace tributary {

struct TuneInput {
  uint64_t series = 0;  // of one agent that are sent, above 0
  std::chrono::milliseconds interval{15000};
  std::chrono::milliseconds latency{100};  // from a request to the store's answer
  std::chrono::milliseconds outage{std::chrono::hours(2)};
  std::chrono::milliseconds catch_up{std::chrono::minutes(30)};  // after that outage
  uint64_t agents = 1;                                           // like this one, at the store
  uint64_t samples_per_send = 2000;
  double wire_bytes = 35;  // a sample, compressed
};

struct TunePlan {
  double samples_per_second = 0;
  double catch_up_per_second = 0;  // what was held back and what is scraped meanwhile
  uint64_t shards_steady = 1;      // that the load needs
  uint64_t max_shards = 1;
  uint64_t capacity = 0;
  double bandwidth = 0, catch_up_bandwidth = 0;  // bytes a second
  uint64_t agent_memory = 0;
  double agent_cores = 0;
  uint64_t log_bytes = 0;  // of the outage
  uint64_t retention_size = 0;
  uint64_t store_series = 0;
  double store_samples_per_second = 0, store_catch_up_per_second = 0;
  uint64_t store_memory = 0;
  uint64_t store_bytes_per_day = 0;
  // Samples of the outage are too old for a store of less: Prometheus takes none that is older than
  // an hour before its newest.
  std::chrono::milliseconds out_of_order_time_window{0};
};

// The input is checked: nothing is 0 but the outage.
TunePlan PlanQueue(const TuneInput& input);
std::string PlanText(const TuneInput& input, const TunePlan& plan);
nlohmann::ordered_json PlanJson(const TuneInput& input, const TunePlan& plan);

}  // namespace tributary
