// Runs one agent against targets and a receiver of its own, and says what it costs, as a line of
// JSON whose fields are those of the comparison's (see tools/bench). All on 127.0.0.1.
//
//   bench_load --agent 'PROGRAM --config.file={config} --storage.path={data}
//                       --web.listen-address=127.0.0.1:{port}'
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <httplib.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "test/bench/load/load_page.h"
#include "test/bench/load/load_process.h"
#include "test/bench/load/load_sink.h"
#include "test/support/process.h"

namespace tributary {
namespace {

struct LoadOptions {
  std::string agent, name = "ours", page = "mixed";
  size_t targets = 20, lines = 500;
  int interval_s = 5, window_s = 60;
  bool v2 = false;
};

constexpr int kSettleSeconds = 10;

std::string ConfigOf(const LoadOptions& options, int port) {
  std::string config = fmt::format(
      "global: {{scrape_interval: {0}s, scrape_timeout: {0}s, external_labels: {{cluster: "
      "bench}}}}\n"
      "scrape_configs:\n- job_name: bench\n  static_configs:\n",
      options.interval_s);
  for (size_t i = 0; i < options.targets; i++) {
    config += fmt::format(
        "  - {{targets: ['127.0.0.1:{}'], labels: {{__metrics_path__: {}, instance: node-{}}}}}\n",
        port, LoadPage::TargetPath(i), i);
  }
  config += fmt::format(
      "remote_write:\n- url: http://127.0.0.1:{}/api/v1/write\n"
      "  queue_config: {{capacity: 10000, max_shards: 100, max_samples_per_send: 500}}\n",
      port);
  if (options.v2) config += "  protobuf_message: io.prometheus.write.v2.Request\n";
  return config;
}

class LoadRun {
 public:
  explicit LoadRun(const LoadOptions& options)
      : options_(options), sink_(seconds(options.interval_s)) {
    const LoadKind kind = options.page == "cadvisor" ? LoadKind::kCadvisor : LoadKind::kMixed;
    for (size_t i = 0; i < options.targets; i++) {
      pages_.push_back(std::make_unique<LoadPage>(kind, i, options.lines));
    }
    server_.Get("/t/(\\d+)", [this](const httplib::Request& request, httplib::Response& response) {
      // A target is scraped once at a time.
      response.set_content(pages_.at(std::stoul(request.matches[1]))->Next(),
                           "text/plain; version=0.0.4");
    });
    server_.Post("/api/v1/write", [this](const httplib::Request& request,
                                         httplib::Response& response) {
      const auto samples =
          sink_.Take(request.body, request.get_header_value("Content-Type"), NowMs());
      response.status = samples ? 204 : 400;
      if (samples) {
        response.set_header("X-Prometheus-Remote-Write-Samples-Written", std::to_string(*samples));
      } else {
        fmt::print(stderr, "bench_load: a request: {}\n", samples.error().message);
      }
    });
    server_.set_keep_alive_max_count(1 << 30);
    server_.set_tcp_nodelay(true);
    server_.new_task_queue = [this] { return new httplib::ThreadPool(options_.targets + 64); };
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~LoadRun() {
    server_.stop();
    thread_.join();
  }

  // Nullopt, and says so, if the agent cannot be measured.
  std::optional<nlohmann::json> Measure() {
    const TemporaryFolder folder;
    Process agent(CommandIn(folder));
    const auto started = std::chrono::steady_clock::now();
    const size_t series = options_.targets * options_.lines;
    const bool all = Eventually(seconds(60 + 3 * options_.interval_s),
                                [&] { return sink_.series() >= series || !agent.Running(); });
    if (!all || !agent.Running()) {
      fmt::print(stderr, "bench_load: {} of {} series came; the agent says:\n{}\n", sink_.series(),
                 series, agent.Err());
      return std::nullopt;
    }
    const auto came = std::chrono::steady_clock::now() - started;
    std::this_thread::sleep_for(seconds(kSettleSeconds));
    sink_.ResetCounts();
    const auto begin = std::chrono::steady_clock::now();
    const Usage before = UsageOf(agent.pid());
    std::vector<uint64_t> resident, anonymous;
    while (std::chrono::steady_clock::now() - begin < seconds(options_.window_s)) {
      std::this_thread::sleep_for(milliseconds(500));
      const Usage usage = UsageOf(agent.pid());
      resident.push_back(usage.resident);
      anonymous.push_back(usage.anonymous);
    }
    const LoadCounts counts = sink_.counts();
    const double cpu_s = UsageOf(agent.pid()).cpu_s - before.cpu_s;
    const std::chrono::duration<double> window = std::chrono::steady_clock::now() - begin;
    agent.Signal(SIGTERM);
    agent.Wait(seconds(30));
    return nlohmann::json::object(
        {{"Agent", options_.name},
         {"Scenario", options_.page + (options_.v2 ? " v2" : "")},
         {"WindowS", window.count()},
         {"CPUSeconds", cpu_s},
         {"Cores", cpu_s / window.count()},
         {"RSSMedian", Quantile(resident, 0.5)},
         {"RSSPeak", Quantile(resident, 1)},
         {"AnonMedian", Quantile(anonymous, 0.5)},
         {"Samples", counts.samples},
         {"WireBytes", counts.wire_bytes},
         {"Requests", counts.requests},
         {"Series", sink_.series()},
         {"Missing", counts.missing},
         {"Duplicates", counts.duplicates},
         {"OutOfOrder", counts.out_of_order},
         {"DelayMs",
          {{"p50", Quantile(counts.delays_ms, 0.5)}, {"p99", Quantile(counts.delays_ms, 0.99)}}},
         {"AllSeriesMs", std::chrono::duration_cast<milliseconds>(came).count()}});
  }

 private:
  ProcessOptions CommandIn(const TemporaryFolder& folder) const {
    return CommandOf(options_.agent,
                     {{"{config}", folder.Write("prometheus.yml", ConfigOf(options_, port_))},
                      {"{data}", folder / "data"},
                      {"{port}", std::to_string(FreePort())}});
  }

  const LoadOptions options_;
  LoadSink sink_;
  std::vector<std::unique_ptr<LoadPage>> pages_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

int Main(int argc, char** argv) {
  CLI::App app("Runs one agent against targets and a receiver, and says what it costs.");
  LoadOptions options;
  app.add_option("--agent", options.agent,
                 "Command, with {config}, {data} and {port} where these belong")
      ->required();
  app.add_option("--name", options.name, "What the result calls it")->capture_default_str();
  app.add_option("--page", options.page, "What the targets serve")
      ->check(CLI::IsMember({"mixed", "cadvisor"}))
      ->capture_default_str();
  app.add_option("--targets", options.targets)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--lines", options.lines, "Series of a target")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--interval", options.interval_s, "Seconds between scrapes")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--window", options.window_s, "Seconds that are measured")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--v2", options.v2, "Remote write 2.0");
  CLI11_PARSE(app, argc, argv);
  LoadRun run(options);
  const std::optional<nlohmann::json> result = run.Measure();
  if (!result) return 1;
  fmt::print("{}\n", result->dump());
  return 0;
}

}  // namespace
}  // namespace tributary

int main(int argc, char** argv) { return tributary::Main(argc, argv); }
