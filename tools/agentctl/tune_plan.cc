#include "tools/agentctl/tune_plan.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "common/base/units.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

using std::chrono::milliseconds;

// Of the agent.
constexpr double kCpuSecondsPerSample = 1.2e-6;
constexpr uint64_t kIdleMemory = 18 << 20;
constexpr uint64_t kSeriesMemory = 100;
constexpr uint64_t kPendingMemory = 16;  // of a sample that is read ahead
constexpr double kLogBytesPerSample = 8.5;
constexpr uint64_t kRetentionMin = 32 << 20;
// Of the store.
constexpr uint64_t kStoreSeriesMemory = 8 << 10;  // queries included
constexpr double kStoreBytesPerSample = 1.5;
constexpr milliseconds kStoreWindow = std::chrono::hours(1);

// Round trips are longer at times.
constexpr double kShardReserve = 1.5;
constexpr uint64_t kCapacityPerSend = 5;

double SecondsOf(milliseconds time) { return std::chrono::duration<double>(time).count(); }

uint64_t ShardsFor(double samples_per_second, const TuneInput& input) {
  const double of_one = static_cast<double>(input.samples_per_send) / SecondsOf(input.latency);
  return std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(samples_per_second / of_one)));
}

uint64_t Whole(double value) { return static_cast<uint64_t>(std::ceil(value)); }

// To a whole MiB, so that flags are short.
uint64_t WholeMebibytes(double bytes) { return Whole(bytes / (1 << 20)) << 20; }

}  // namespace

TunePlan PlanQueue(const TuneInput& input) {
  TunePlan plan;
  const auto series = static_cast<double>(input.series);
  const auto agents = static_cast<double>(input.agents);
  plan.samples_per_second = series / SecondsOf(input.interval);
  const double held_back = plan.samples_per_second * SecondsOf(input.outage);
  plan.catch_up_per_second = plan.samples_per_second + held_back / SecondsOf(input.catch_up);
  plan.shards_steady = ShardsFor(plan.samples_per_second, input);
  plan.max_shards = ShardsFor(plan.catch_up_per_second * kShardReserve, input);
  plan.capacity = kCapacityPerSend * input.samples_per_send;
  plan.bandwidth = plan.samples_per_second * input.wire_bytes;
  plan.catch_up_bandwidth = plan.catch_up_per_second * input.wire_bytes;
  plan.agent_memory =
      kIdleMemory + kSeriesMemory * input.series + kPendingMemory * plan.capacity * plan.max_shards;
  plan.agent_cores = plan.samples_per_second * kCpuSecondsPerSample;
  plan.log_bytes = Whole(held_back * kLogBytesPerSample);
  plan.retention_size =
      std::max(kRetentionMin, WholeMebibytes(1.5 * static_cast<double>(plan.log_bytes)));
  plan.store_series = input.series * input.agents;
  plan.store_samples_per_second = plan.samples_per_second * agents;
  plan.store_catch_up_per_second = plan.catch_up_per_second * agents;
  plan.store_memory = kStoreSeriesMemory * plan.store_series;
  plan.store_bytes_per_day = Whole(plan.store_samples_per_second * 86400 * kStoreBytesPerSample);
  const milliseconds longest = input.outage + input.catch_up;
  if (longest > kStoreWindow) plan.out_of_order_time_window = longest;
  return plan;
}

std::string PlanText(const TuneInput& input, const TunePlan& plan) {
  std::string text = fmt::format(
      "load: {:.0f} samples/s, {}/s on the wire; after an outage of {} caught up in {}: {:.0f} "
      "samples/s, {}/s\n\n",
      plan.samples_per_second, FormatBytes(Whole(plan.bandwidth)), FormatDuration(input.outage),
      FormatDuration(input.catch_up), plan.catch_up_per_second,
      FormatBytes(Whole(plan.catch_up_bandwidth)));
  text += fmt::format(
      "    queue_config:\n"
      "      max_samples_per_send: {}\n"
      "      capacity: {}\n"
      "      max_shards: {}    # the load by itself needs {}\n\n",
      input.samples_per_send, plan.capacity, plan.max_shards, plan.shards_steady);
  text += fmt::format(
      "    --storage.retention.size={}    # the outage takes {}\n"
      "    --storage.retention.time={}\n\n",
      FormatSize(plan.retention_size), FormatBytes(plan.log_bytes),
      FormatDuration(std::max<milliseconds>(std::chrono::hours(24), 2 * input.outage)));
  text += fmt::format("agent: about {} of memory, {:.3f} cores\n", FormatBytes(plan.agent_memory),
                      plan.agent_cores);
  text += fmt::format(
      "store, of {} {}: {} series, {:.0f} samples/s ({:.0f} while all catch up), about {} of "
      "memory, {} a day on disk",
      input.agents, input.agents == 1 ? "agent" : "agents", plan.store_series,
      plan.store_samples_per_second, plan.store_catch_up_per_second, FormatBytes(plan.store_memory),
      FormatBytes(plan.store_bytes_per_day));
  if (plan.out_of_order_time_window.count() > 0) {
    text += fmt::format(", and out_of_order_time_window: {}, or it refuses what is too old by then",
                        FormatDuration(plan.out_of_order_time_window));
  }
  return text + "\n";
}

nlohmann::ordered_json PlanJson(const TuneInput& input, const TunePlan& plan) {
  nlohmann::ordered_json json;
  json["samplesPerSecond"] = plan.samples_per_second;
  json["catchUpSamplesPerSecond"] = plan.catch_up_per_second;
  json["queueConfig"] = {{"max_samples_per_send", input.samples_per_send},
                         {"capacity", plan.capacity},
                         {"max_shards", plan.max_shards}};
  json["shardsSteady"] = plan.shards_steady;
  json["bytesPerSecond"] = plan.bandwidth;
  json["catchUpBytesPerSecond"] = plan.catch_up_bandwidth;
  json["agent"] = {{"memoryBytes", plan.agent_memory},
                   {"cores", plan.agent_cores},
                   {"outageBytes", plan.log_bytes},
                   {"retentionSizeBytes", plan.retention_size}};
  json["store"] = {{"series", plan.store_series},
                   {"samplesPerSecond", plan.store_samples_per_second},
                   {"catchUpSamplesPerSecond", plan.store_catch_up_per_second},
                   {"memoryBytes", plan.store_memory},
                   {"bytesPerDay", plan.store_bytes_per_day},
                   {"outOfOrderTimeWindowSeconds", SecondsOf(plan.out_of_order_time_window)}};
  return json;
}

}  // namespace tributary
