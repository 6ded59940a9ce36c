// A thousand connections that stay, over real sockets: what a request of 20 KB costs by our server
// on one loop, and by cpp-httplib with a thread for each connection. Client and server are in this
// process, the client's part is the same for both.
//
//   CPU      of a request, client and server, all threads
//   memory   anonymous, that 1,000 connections take which have been served once
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <benchmark/benchmark.h>
#include <httplib.h>

#include "agent/web/server.h"
#include "agent/web/write_server.h"
#include "test/support/write_sender.h"

namespace tributary {
namespace {

constexpr int kConnections = 1000;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double AnonymousBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) * 1024;
  }
  return 0;
}

class OurServer {
 public:
  OurServer() {
    WriteServer::Seams seams{[](const IncomingWrite&, const WriteDone& done) {
                               WriteAnswer answer;
                               answer.status = 204;
                               done(answer);
                             },
                             [] { return size_t{1} << 20; }, returns_};
    writes_ = std::make_unique<WriteServer>(loop_, WriteServerOptions{}, std::move(seams));
    thread_ = std::thread([this] { loop_.Run(); });
    WebHandlers handlers;
    handlers.ready = [] { return true; };
    handlers.write = [this](WriteVisitor visitor) {
      auto shared = std::make_shared<WriteVisitor>(std::move(visitor));
      loop_.Post([this, shared] { writes_->Adopt(std::move(*shared)); });
    };
    WebOptions options;
    options.listen_address = "127.0.0.1:0";
    options.returns = returns_;
    web_ = *WebServer::Start(options, handlers);
  }
  ~OurServer() {
    web_.reset();
    loop_.Stop();
    thread_.join();
  }
  uint16_t port() const {
    const std::string address = web_->address();
    return static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1)));
  }

 private:
  SystemEventLoop loop_;
  std::shared_ptr<VisitorReturns> returns_ = std::make_shared<VisitorReturns>();
  std::unique_ptr<WriteServer> writes_;
  std::thread thread_;
  std::unique_ptr<WebServer> web_;
};

class HttplibServer {
 public:
  HttplibServer() {
    server_.Post("/api/v1/write", [](const httplib::Request&, httplib::Response& response) {
      response.status = 204;
    });
    server_.set_keep_alive_max_count(1 << 30);
    server_.set_keep_alive_timeout(600);
    server_.set_tcp_nodelay(true);
    server_.new_task_queue = [] { return new httplib::ThreadPool(kConnections); };
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~HttplibServer() {
    server_.stop();
    thread_.join();
  }
  uint16_t port() const { return static_cast<uint16_t>(port_); }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

template <typename Server>
void Connections(benchmark::State& state) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const std::string body(20'000, 'x');
  const double before = AnonymousBytes();
  Server server;
  std::vector<WriteSender> senders;
  for (int i = 0; i < kConnections; i++) {
    senders.emplace_back(server.port());
    if (senders.back().Post(body).status != 204) return state.SkipWithError("not answered");
  }
  const double memory = AnonymousBytes() - before;
  const double cpu_before = CpuSeconds();
  int64_t requests = 0;
  for ([[maybe_unused]] auto _ : state) {
    for (const WriteSender& sender : senders) sender.SendPost(body);
    for (WriteSender& sender : senders) {
      if (sender.Receive().status != 204) return state.SkipWithError("not answered");
    }
    requests += kConnections;
  }
  state.counters["cpu_us"] = (CpuSeconds() - cpu_before) * 1e6 / static_cast<double>(requests);
  state.counters["memory_MiB"] = memory / (1 << 20);
}

BENCHMARK(Connections<OurServer>)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(Connections<HttplibServer>)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace tributary

BENCHMARK_MAIN();
