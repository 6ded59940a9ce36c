// Sends remote write to one agent, as so many agents that each scrape a target, receives what it
// forwards, and says what that costs it, as a line of JSON. All on 127.0.0.1.
//
//   bench_receive --agent 'PROGRAM ... 127.0.0.1:{port} ... {config} ... {data} ... {sink}'
//
// {config} is a configuration file with a remote_write entry for {sink}, for those that read one.
// Each sender keeps its connection and sends what its target serves in an interval in requests of
// at most so many samples, one after the other. A request that is not answered with 2xx is an
// error of the measurement.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <httplib.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/exposition/text_parser.h"
#include "common/wire/remote_write.h"
#include "common/wire/remote_write_v2.h"
#include "test/bench/load/load_page.h"
#include "test/bench/load/load_process.h"
#include "test/bench/load/load_sink.h"
#include "test/support/write_sender.h"

namespace tributary {
namespace {

struct ReceiveOptions {
  std::string agent, name = "ours", page = "mixed";
  size_t senders = 100, lines = 1700, request = 2000;
  int interval_s = 5, window_s = 60, settle_s = 15;
  bool v2 = false;
};

constexpr char kV1Type[] = "Content-Type: application/x-protobuf";
constexpr char kV2Type[] =
    "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request";

// A sender: its series, and its connection.
class Sender {
 public:
  Sender(const ReceiveOptions& options, size_t number) : options_(options) {
    const LoadKind kind = options.page == "cadvisor" ? LoadKind::kCadvisor : LoadKind::kMixed;
    const LoadPage page(kind, number, options.lines);
    for (size_t line = 0; line < page.lines(); line++) {
      Labels labels = *ParseSeries(page.series(line));
      labels.Set("job", "bench");
      labels.Set("instance", fmt::format("node-{}", number));
      labels.Set("cluster", "bench");
      encoded_.push_back(EncodeLabels(labels));
    }
    values_.resize(encoded_.size());
  }

  // One scrape; whether all of it was taken.
  bool Send(uint16_t port, TimestampMs timestamp) {
    if (connection_ == nullptr) connection_ = std::make_unique<WriteSender>(port);
    for (size_t begin = 0; begin < encoded_.size(); begin += options_.request) {
      const size_t end = std::min(begin + options_.request, encoded_.size());
      const std::string body = options_.v2 ? Body<WriteRequestV2Builder>(begin, end, timestamp)
                                           : Body<WriteRequestBuilder>(begin, end, timestamp);
      const HttpReply reply =
          connection_->connected()
              ? connection_->Post(body,
                                  {"Content-Encoding: snappy", options_.v2 ? kV2Type : kV1Type,
                                   options_.v2 ? "X-Prometheus-Remote-Write-Version: 2.0.0"
                                               : "X-Prometheus-Remote-Write-Version: 0.1.0"},
                                  seconds(30))
              : HttpReply{};
      if (reply.status / 100 == 2) continue;
      fmt::print(stderr, "bench_receive: answered with {}: {}\n", reply.status, reply.body);
      connection_.reset();
      return false;
    }
    return true;
  }

 private:
  template <typename Builder>
  std::string Body(size_t begin, size_t end, TimestampMs timestamp) {
    Builder builder;
    for (size_t i = begin; i < end; i++) {
      // As LoadPage has it: six of ten values move.
      if (i % 10 < 6) values_[i] += static_cast<double>(i % 17 + 1);
      if constexpr (std::is_same_v<Builder, WriteRequestBuilder>) {
        builder.AddSample(encoded_[i], values_[i], timestamp);
      } else {
        builder.AddSample({encoded_[i]}, values_[i], timestamp, 0);
      }
    }
    return builder.Finish();
  }

  const ReceiveOptions& options_;
  std::vector<std::string> encoded_;
  std::vector<double> values_;
  std::unique_ptr<WriteSender> connection_;
};

class ReceiveRun {
 public:
  explicit ReceiveRun(const ReceiveOptions& options)
      : options_(options), sink_(seconds(options.interval_s)) {
    for (size_t i = 0; i < options.senders; i++) {
      senders_.push_back(std::make_unique<Sender>(options_, i));
    }
    server_.Post("/api/v1/write", [this](const httplib::Request& request,
                                         httplib::Response& response) {
      const auto samples =
          sink_.Take(request.body, request.get_header_value("Content-Type"), NowMs());
      response.status = samples ? 204 : 400;
      if (samples) {
        response.set_header("X-Prometheus-Remote-Write-Samples-Written", std::to_string(*samples));
      } else {
        fmt::print(stderr, "bench_receive: a request: {}\n", samples.error().message);
      }
    });
    server_.set_keep_alive_max_count(1 << 30);
    server_.set_tcp_nodelay(true);
    server_.new_task_queue = [] { return new httplib::ThreadPool(128); };
    sink_port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~ReceiveRun() {
    server_.stop();
    thread_.join();
  }

  // Nullopt, and says so, if the agent cannot be measured.
  std::optional<nlohmann::json> Measure() {
    const TemporaryFolder folder;
    const auto port = static_cast<uint16_t>(FreePort());
    const std::string url = fmt::format("http://127.0.0.1:{}/api/v1/write", sink_port_);
    const std::string config = fmt::format(
        "remote_write:\n- url: {}\n"
        "  queue_config: {{capacity: 10000, max_shards: 100, max_samples_per_send: 10000}}\n",
        url);
    Process agent(CommandOf(options_.agent, {{"{config}", folder.Write("prometheus.yml", config)},
                                             {"{data}", folder / "data"},
                                             {"{sink}", url},
                                             {"{port}", std::to_string(port)}}));
    if (!Eventually(seconds(20), [&] { return WriteSender(port).connected(); })) {
      fmt::print(stderr, "bench_receive: the agent does not listen:\n{}\n", agent.Err());
      return std::nullopt;
    }
    std::thread sending([this, port] { SendAll(port); });
    std::this_thread::sleep_for(seconds(options_.settle_s));
    sink_.ResetCounts();
    const uint64_t sent_before = sent_;
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
    const uint64_t sent = sent_ - sent_before;
    const std::chrono::duration<double> window = std::chrono::steady_clock::now() - begin;
    stop_ = true;
    sending.join();
    agent.Signal(SIGTERM);
    agent.Wait(seconds(30));
    return nlohmann::json::object(
        {{"Agent", options_.name},
         {"Scenario", fmt::format("receive {}{}", options_.page, options_.v2 ? " v2" : "")},
         {"Senders", options_.senders},
         {"Series", options_.senders * options_.lines},
         {"WindowS", window.count()},
         {"CPUSeconds", cpu_s},
         {"MicrosPerSample", cpu_s * 1e6 / static_cast<double>(sent)},
         {"RSSMedian", Quantile(resident, 0.5)},
         {"RSSPeak", Quantile(resident, 1)},
         {"AnonMedian", Quantile(anonymous, 0.5)},
         {"Sent", sent},
         {"Failed", failed_.load()},
         {"Samples", counts.samples},
         {"WireBytes", counts.wire_bytes},
         {"Requests", counts.requests},
         {"Duplicates", counts.duplicates},
         {"OutOfOrder", counts.out_of_order},
         {"DelayMs",
          {{"p50", Quantile(counts.delays_ms, 0.5)}, {"p99", Quantile(counts.delays_ms, 0.99)}}}});
  }

 private:
  // Each sender in its turn in each interval, and none waits for another's answer but those of its
  // thread.
  void SendAll(uint16_t port) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (size_t first = 0; first < std::min(kThreads, senders_.size()); first++) {
      threads.emplace_back([this, port, begin, first] { SendSome(port, begin, first); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  void SendSome(uint16_t port, std::chrono::steady_clock::time_point begin, size_t first) {
    const nanoseconds interval = seconds(options_.interval_s);
    for (size_t round = 0; !stop_; round++) {
      for (size_t i = first; i < senders_.size(); i += kThreads) {
        std::this_thread::sleep_until(begin + interval * round + interval * i / senders_.size());
        if (stop_) return;
        if (senders_[i]->Send(port, NowMs())) {
          sent_ += options_.lines;
        } else {
          failed_++;
        }
      }
    }
  }

  static constexpr size_t kThreads = 16;

  const ReceiveOptions options_;
  LoadSink sink_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::atomic<uint64_t> sent_{0}, failed_{0};
  std::atomic<bool> stop_{false};
  httplib::Server server_;
  int sink_port_ = 0;
  std::thread thread_;
};

int Main(int argc, char** argv) {
  CLI::App app("Sends to one agent what so many others would, and says what it costs.");
  ReceiveOptions options;
  app.add_option("--agent", options.agent,
                 "Command, with {config}, {data}, {sink} and {port} where these belong")
      ->required();
  app.add_option("--name", options.name, "What the result calls it")->capture_default_str();
  app.add_option("--page", options.page, "What the senders' targets serve")
      ->check(CLI::IsMember({"mixed", "cadvisor"}))
      ->capture_default_str();
  app.add_option("--senders", options.senders)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--lines", options.lines, "Series of a sender")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--request", options.request, "Most samples of a request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--interval", options.interval_s, "Seconds between two scrapes of a sender")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--settle", options.settle_s, "Seconds before the measurement")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--window", options.window_s, "Seconds that are measured")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--v2", options.v2, "Send remote write 2.0");
  CLI11_PARSE(app, argc, argv);
  ReceiveRun run(options);
  const std::optional<nlohmann::json> result = run.Measure();
  if (!result) return 1;
  fmt::print("{}\n", result->dump());
  return 0;
}

}  // namespace
}  // namespace tributary

int main(int argc, char** argv) { return tributary::Main(argc, argv); }
