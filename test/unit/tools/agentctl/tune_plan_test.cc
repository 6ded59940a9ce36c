#include "tools/agentctl/tune_plan.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST_CASE("tune: a load as documented") {
  TuneInput input;
  input.series = 150'000;
  input.agents = 10;
  const TunePlan plan = PlanQueue(input);
  CHECK(plan.samples_per_second == 10'000);
  // Two hours' samples in half an hour, and those of that half hour.
  CHECK(plan.catch_up_per_second == 50'000);
  // A shard moves 2,000 samples in 0.1 s.
  CHECK(plan.shards_steady == 1);
  CHECK(plan.max_shards == 4);
  CHECK(plan.capacity == 10'000);
  CHECK(plan.log_bytes == 612'000'000);
  CHECK(plan.retention_size > plan.log_bytes);
  CHECK(plan.retention_size % (1 << 20) == 0);
  CHECK(plan.store_series == 1'500'000);
  CHECK(plan.store_samples_per_second == 100'000);
  CHECK(plan.store_bytes_per_day == 12'960'000'000);
  CHECK(plan.out_of_order_time_window == minutes(150));
}

TEST_CASE("tune: what is asked for is enough, and not far more") {
  for (const uint64_t series : {1ULL, 1'000ULL, 845'000ULL, 10'000'000ULL}) {
    for (const auto latency : {milliseconds(1), milliseconds(100), milliseconds(5000)}) {
      for (const uint64_t per_send : {500ULL, 2000ULL, 10'000ULL}) {
        CAPTURE(series, latency.count(), per_send);
        TuneInput input;
        input.series = series;
        input.latency = latency;
        input.samples_per_send = per_send;
        const TunePlan plan = PlanQueue(input);
        const double of_one =
            static_cast<double>(per_send) * 1000 / static_cast<double>(latency.count());
        CHECK(static_cast<double>(plan.max_shards) * of_one >= plan.catch_up_per_second);
        CHECK(static_cast<double>(plan.max_shards - 1) * of_one <= 1.5 * plan.catch_up_per_second);
        CHECK(static_cast<double>(plan.shards_steady) * of_one >= plan.samples_per_second);
        CHECK(plan.shards_steady <= plan.max_shards);
      }
    }
  }
}

TEST_CASE("tune: short outages need no window, and no more log than there has to be") {
  TuneInput input;
  input.series = 1000;
  input.outage = minutes(20);
  CHECK(PlanQueue(input).out_of_order_time_window == milliseconds(0));
  input.outage = milliseconds(0);
  const TunePlan plan = PlanQueue(input);
  CHECK(plan.catch_up_per_second == plan.samples_per_second);
  CHECK(plan.log_bytes == 0);
  CHECK(plan.retention_size == 32 << 20);
}

TEST_CASE("tune: the text can be pasted, JSON has the same facts") {
  TuneInput input;
  input.series = 150'000;
  const TunePlan plan = PlanQueue(input);
  const std::string text = PlanText(input, plan);
  CHECK(text.find("    queue_config:\n      max_samples_per_send: 2000\n      capacity: 10000\n"
                  "      max_shards: 4    #") != std::string::npos);
  CHECK(text.find("--storage.retention.size=876MiB") != std::string::npos);
  CHECK(text.find("out_of_order_time_window: 2h30m") != std::string::npos);
  const nlohmann::ordered_json json = PlanJson(input, plan);
  CHECK(json.at("queueConfig").at("max_shards") == 4);
  CHECK(json.at("store").at("outOfOrderTimeWindowSeconds") == 9000);
}

}  // namespace
}  // namespace tributary
