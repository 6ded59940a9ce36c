// agentctl tune: queue_config, and what else a load asks for.
#include <cstdio>
#include <memory>
#include <string>

#include "common/base/units.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/tune_plan.h"

namespace tributary {
namespace {

struct TuneOptions {
  TuneInput input;
  std::string interval = "15s", latency = "100ms", outage = "2h", catch_up = "30m";
  bool json = false;
};

int Tune(TuneOptions& options) {
  struct Time {
    const char* flag;
    const std::string& text;
    std::chrono::milliseconds& value;
    bool may_be_zero = false;
  };
  TuneInput& input = options.input;
  for (const Time& time : {Time{"--interval", options.interval, input.interval},
                           Time{"--latency", options.latency, input.latency},
                           Time{"--outage", options.outage, input.outage, true},
                           Time{"--catch-up", options.catch_up, input.catch_up}}) {
    const auto parsed = ParseDuration(time.text);
    if (!parsed) return Refuse(std::string(time.flag) + ": " + parsed.error().message);
    if (parsed->count() == 0 && !time.may_be_zero) {
      return Refuse(std::string(time.flag) + ": it must be more than 0");
    }
    time.value = *parsed;
  }
  const TunePlan plan = PlanQueue(input);
  const std::string out =
      options.json ? PlanJson(input, plan).dump(2) + "\n" : PlanText(input, plan);
  const bool written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
  return written && std::fflush(stdout) == 0 ? kExitGood : kExitUsage;
}

}  // namespace

void AddTune(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "tune",
      "From a load, say what queue_config, the agent and the store that it writes to need. "
      "Estimates; exit status 0, or 2 for wrong usage.");
  auto options = std::make_shared<TuneOptions>();
  constexpr uint64_t kMost = 1'000'000'000;
  TuneInput& input = options->input;
  command->add_option("--series", input.series, "Series that an agent sends.")
      ->required()
      ->check(CLI::Range(uint64_t{1}, kMost));
  command->add_option("--interval", options->interval, "Their scrape_interval (default: 15s).");
  command->add_option("--latency", options->latency,
                      "How long the store takes to answer a request, the way there and back "
                      "included (default: 100ms).");
  command->add_option("--outage", options->outage,
                      "The longest outage of which nothing may be lost (default: 2h).");
  command->add_option("--catch-up", options->catch_up,
                      "How long after it all may take to arrive (default: 30m).");
  command
      ->add_option("--agents", input.agents,
                   "Agents like this that write to the store (default: 1).")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}));
  command
      ->add_option("--max-samples-per-send", input.samples_per_send,
                   "Samples of a request, as the store takes them (default: 2000).")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}));
  command
      ->add_option("--bytes-per-sample", input.wire_bytes,
                   "On the wire (default: 35; remote write 2.0 has fewer, long labels more).")
      ->check(CLI::Range(0.1, 10'000.0));
  command->add_flag("--json", options->json, "Report as JSON.");
  command->callback([options, &status] { status = Tune(*options); });
}

}  // namespace tributary
