// Runs an agent against many targets and a receiver that cost little themselves, and says what it
// costs, as a line of JSON (see tools/bench --scale). All on 127.0.0.1.
//
// One thread serves the pages, one receives, so that the CPU of each is told apart. Pages are built
// once; before each scrape six of ten values are changed in their place. The receiver unpacks each
// request and counts its samples; but with --count-only it looks up each series too, and says how
// many came twice, late, or not at all.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <snappy.h>
#include <xxhash.h>
#include <CLI/CLI.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <nlohmann/json.hpp>

#include "common/base/assert.h"
#include "test/bench/load/load_page.h"
#include "test/support/process.h"

namespace tributary {
namespace {

struct ScaleOptions {
  std::string agent;
  size_t targets = 20, lines = 5000;
  int interval_s = 5, settle_s = 10, window_s = 10, port = 33100;
  bool count_only = false;
};

int64_t NowMs() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double CpuOf(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// A page whose values keep their width, between one digit and ten.
class FixedPage {
 public:
  FixedPage(size_t target, size_t lines) : state_(target * 2 + 1) {
    const LoadPage page(LoadKind::kMixed, target, lines);
    std::string body;
    for (size_t i = 0; i < lines; i++) {
      body += page.series(i);
      body += ' ';
      const size_t width = 1 + Random() % 10;
      ends_.push_back(static_cast<uint32_t>(body.size() + width));
      for (size_t digit = 0; digit < width; digit++) {
        body += static_cast<char>('1' + Random() % 9);
      }
      body += '\n';
    }
    const std::string head = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
        body.size());
    for (uint32_t& end : ends_) end += static_cast<uint32_t>(head.size());
    response_ = head + body;
  }

  std::string_view Next() {
    for (const uint32_t end : ends_) {
      const uint64_t random = Random();
      if (random % 10 >= 6) continue;
      // One is added, or up to nine where the last digit has room; the first digit is never 0.
      size_t at = end - 1;
      while (response_[at] == '9' && response_[at - 1] != ' ') response_[at--] = '0';
      if (response_[at] == '9') {
        response_[at] = '1';
      } else {
        const auto room = static_cast<uint64_t>('9' - response_[at]);
        response_[at] =
            static_cast<char>(response_[at] + (at + 1 == end ? 1 + (random >> 32) % room : 1));
      }
    }
    return response_;
  }
  size_t lines() const { return ends_.size(); }

  int64_t last_ms = 0;  // of its last scrape

 private:
  uint64_t Random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

  std::string response_;
  std::vector<uint32_t> ends_;  // of the values
  uint64_t state_;
};

// Answers requests in the order of a connection, on a thread of its own.
class Server {
 public:
  // Gets the request's line, and its body; what it answers stays until the connection asks again.
  using Handler = std::function<std::string_view(std::string_view line, std::string_view body)>;

  Server(int port, Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(listener_, 4096) != 0) {
      fmt::print(stderr, "bench_scale: port {}: {}\n", port, std::strerror(errno));
      exit(1);
    }
    epoll_ = epoll_create1(0);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
    thread_ = std::thread([this] { Serve(); });
    CHECK(pthread_getcpuclockid(thread_.native_handle(), &clock_) == 0);
  }
  ~Server() {
    stop_ = true;
    thread_.join();
    close(epoll_);
    close(listener_);
  }

  double Cpu() const { return CpuOf(clock_); }

 private:
  struct Connection {
    int fd = -1;
    std::string in;
    std::string_view out;
    bool waits = false;
  };

  void Serve() {
    std::vector<epoll_event> events(256);
    while (!stop_) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 200);
      for (int i = 0; i < count; i++) {
        auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
        if (connection == nullptr) {
          Accept();
        } else if (!Advance(*connection)) {
          close(connection->fd);
          delete connection;
        }
      }
    }
  }

  void Accept() {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      auto* connection = new Connection{.fd = fd, .in = {}, .out = {}};
      epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  bool Advance(Connection& connection) {
    if (!Write(connection)) return false;
    const ssize_t got = read(connection.fd, buffer_.data(), buffer_.size());
    if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
    if (got > 0) connection.in.append(buffer_.data(), static_cast<size_t>(got));
    while (connection.out.empty()) {
      const size_t head = connection.in.find("\r\n\r\n");
      if (head == std::string::npos) break;
      const std::string_view text(connection.in.data(), head + 2);
      size_t length = 0;
      for (size_t at = text.find("\r\n") + 2; at < text.size(); at = text.find("\r\n", at) + 2) {
        if (strncasecmp(text.data() + at, "content-length:", 15) == 0) {
          length = std::strtoul(text.data() + at + 15, nullptr, 10);
        }
      }
      if (connection.in.size() < head + 4 + length) break;
      connection.out = handler_(text.substr(0, text.find("\r\n")),
                                std::string_view(connection.in).substr(head + 4, length));
      connection.in.erase(0, head + 4 + length);
      if (!Write(connection)) return false;
    }
    return true;
  }

  bool Write(Connection& connection) {
    while (!connection.out.empty()) {
      const ssize_t sent =
          send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent < 0) break;
      connection.out.remove_prefix(static_cast<size_t>(sent));
    }
    if (connection.waits == connection.out.empty()) {
      connection.waits = !connection.waits;
      epoll_event event{.events = EPOLLIN | (connection.waits ? EPOLLOUT : 0U),
                        .data = {.ptr = &connection}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
    }
    return true;
  }

  const Handler handler_;
  std::vector<char> buffer_ = std::vector<char>(1 << 18);
  int listener_ = -1, epoll_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
  clockid_t clock_ = 0;
};

struct Counts {
  uint64_t scrapes = 0, lines = 0;  // served
  uint64_t refused = 0;             // scrapes, when no page is served any more
  uint64_t missed = 0, late = 0;    // scrapes: not in 1.5 intervals; more than a quarter off
  uint64_t down = 0;                // samples of `up` that are 0
  uint64_t requests = 0, bytes = 0, samples = 0;
  uint64_t bad = 0, duplicates = 0, out_of_order = 0, missing = 0, changed = 0;
  std::vector<int64_t> delays_ms;
};

class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}
  bool more() const { return !text_.empty() && good_; }
  bool good() const { return good_; }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (text_.empty()) break;
      const auto byte = static_cast<uint8_t>(text_.front());
      text_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    good_ = false;
    return 0;
  }
  std::string_view Bytes(size_t size) {
    if (size > text_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view bytes = text_.substr(0, size);
    text_.remove_prefix(size);
    return bytes;
  }
  void Skip(uint64_t tag) {
    switch (tag & 7) {
      case 0:
        Varint();
        break;
      case 1:
        Bytes(8);
        break;
      case 2:
        Bytes(Varint());
        break;
      default:
        good_ = false;
    }
  }
  const char* at() const { return text_.data(); }

 private:
  std::string_view text_;
  bool good_ = true;
};

class ScaleRun {
 public:
  explicit ScaleRun(const ScaleOptions& options) : options_(options) {
    for (size_t i = 0; i < options.targets; i++) {
      pages_.push_back(std::make_unique<FixedPage>(i, options.lines));
    }
    if (!options.count_only) series_.reserve(options.targets * options.lines);
    targets_ = std::make_unique<Server>(
        options.port, [this](std::string_view line, std::string_view) { return Serve(line); });
    receiver_ = std::make_unique<Server>(
        options.port + 1,
        [this](std::string_view, std::string_view body) { return Receive(body); });
  }

  std::optional<nlohmann::json> Measure() {
    const TemporaryFolder folder;
    Process agent(CommandIn(folder));
    const uint64_t series = options_.targets * options_.lines;
    const bool all = Eventually(seconds(60 + 3 * options_.interval_s), [&] {
      std::lock_guard lock(mutex_);
      return (options_.count_only ? counts_.samples : series_.size()) >= series || !agent.Running();
    });
    if (!all || !agent.Running()) {
      fmt::print(stderr, "bench_scale: not all of {} series came; the agent says:\n{}\n", series,
                 agent.Err());
      return std::nullopt;
    }
    std::this_thread::sleep_for(seconds(options_.settle_s));
    clockid_t clock = 0;
    CHECK(clock_getcpuclockid(agent.pid(), &clock) == 0);
    const Counts before = counts();
    const auto begin = std::chrono::steady_clock::now();
    const double cpu = CpuOf(clock), generator = targets_->Cpu(), receiver = receiver_->Cpu();
    std::vector<uint64_t> resident, anonymous;
    while (std::chrono::steady_clock::now() - begin < seconds(options_.window_s)) {
      std::this_thread::sleep_for(milliseconds(250));
      AddMemory(agent.pid(), resident, anonymous);
    }
    const double cpu_s = CpuOf(clock) - cpu, generator_s = targets_->Cpu() - generator,
                 receiver_s = receiver_->Cpu() - receiver;
    const std::chrono::duration<double> window = std::chrono::steady_clock::now() - begin;
    Counts after = counts();
    // No page is served any more, so that all that was has to come.
    stopped_ = true;
    Eventually(seconds(30), [&] {
      const Counts now = counts();
      return Lost(now) == 0;
    });
    const Counts end = counts();
    const uint64_t lost = Lost(end);
    agent.Signal(SIGTERM);
    agent.Wait(seconds(30));
    after.delays_ms.erase(
        after.delays_ms.begin(),
        after.delays_ms.begin() + static_cast<std::ptrdiff_t>(before.delays_ms.size()));
    std::sort(after.delays_ms.begin(), after.delays_ms.end());
    const auto delay = [&](double part) {
      return after.delays_ms.empty() ? 0
                                     : after.delays_ms[static_cast<size_t>(
                                           part * static_cast<double>(after.delays_ms.size() - 1))];
    };
    return nlohmann::json::object({{"Targets", options_.targets},
                                   {"Lines", options_.lines},
                                   {"IntervalS", options_.interval_s},
                                   {"WindowS", window.count()},
                                   {"CPUSeconds", cpu_s},
                                   {"GeneratorCPUSeconds", generator_s},
                                   {"ReceiverCPUSeconds", receiver_s},
                                   {"RSSMedian", Median(resident)},
                                   {"AnonMedian", Median(anonymous)},
                                   {"Scrapes", after.scrapes - before.scrapes},
                                   {"Served", after.lines - before.lines},
                                   {"MissedScrapes", after.missed - before.missed},
                                   {"LateScrapes", after.late - before.late},
                                   {"Requests", after.requests - before.requests},
                                   {"WireBytes", after.bytes - before.bytes},
                                   {"Samples", after.samples - before.samples},
                                   {"Changed", after.changed - before.changed},
                                   {"Bad", end.bad},
                                   {"Duplicates", end.duplicates},
                                   {"OutOfOrder", end.out_of_order},
                                   {"Missing", after.missing - before.missing},
                                   {"ServedInAll", end.lines},
                                   {"ReceivedInAll", end.samples},
                                   {"FailedInAll", Failed(end)},
                                   {"LostInAll", lost},
                                   {"DelayMs", {{"p50", delay(0.5)}, {"p99", delay(0.99)}}}});
  }

 private:
  static uint64_t Median(std::vector<uint64_t> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }

  static void AddMemory(pid_t pid, std::vector<uint64_t>& resident,
                        std::vector<uint64_t>& anonymous) {
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) resident.push_back(std::stoull(line.substr(6)) << 10);
      if (line.starts_with("RssAnon:")) anonymous.push_back(std::stoull(line.substr(8)) << 10);
    }
  }

  Counts counts() const {
    std::lock_guard lock(mutex_);
    return counts_;
  }

  // Scrapes that failed by their `up` though their page was served: in the first seconds all series
  // are new, and the timeout is the interval.
  static uint64_t Failed(const Counts& counts) {
    return counts.down - std::min(counts.down, counts.refused);
  }

  // Of the samples that were served, by scrapes that did not fail, those that did not come.
  uint64_t Lost(const Counts& counts) const {
    const uint64_t found = counts.samples + Failed(counts) * options_.lines;
    return counts.lines - std::min(counts.lines, found);
  }

  std::string_view Serve(std::string_view line) {
    const size_t at = line.find("/t/");
    const size_t target = at == std::string_view::npos
                              ? pages_.size()
                              : std::strtoul(line.data() + at + 3, nullptr, 10);
    if (target >= pages_.size()) return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    if (stopped_) {
      std::lock_guard lock(mutex_);
      counts_.refused++;
      return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    }
    FixedPage& page = *pages_[target];
    const int64_t now = NowMs(), interval = options_.interval_s * 1000;
    const int64_t gap = page.last_ms == 0 ? interval : now - page.last_ms;
    page.last_ms = now;
    const std::string_view response = page.Next();
    std::lock_guard lock(mutex_);
    counts_.scrapes++;
    counts_.lines += page.lines();
    if (2 * gap > 3 * interval)
      counts_.missed += static_cast<uint64_t>((gap + interval / 2) / interval - 1);
    if (4 * std::abs(gap - interval) > interval) counts_.late++;
    return response;
  }

  std::string_view Receive(std::string_view body) {
    const bool good = snappy::Uncompress(body.data(), body.size(), &raw_);
    const int64_t now = NowMs();
    std::lock_guard lock(mutex_);
    if (!good || !Take(now)) {
      counts_.bad++;
      return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    }
    counts_.requests++;
    counts_.bytes += body.size();
    return "HTTP/1.1 204 No Content\r\n\r\n";
  }

  bool Take(int64_t now) {
    int64_t latest = 0;
    Walker request(raw_);
    while (request.more()) {
      const uint64_t tag = request.Varint();
      if (tag != 0x0a) {
        request.Skip(tag);
        continue;
      }
      const std::string_view one = request.Bytes(request.Varint());
      Walker series(one);
      size_t labels = 0;  // bytes of them
      // What the agent adds of its own (`up`, ...) is not counted, nor are markers of what ended
      // with the last page.
      const std::string_view name = one.substr(0, 28);
      const bool is_up = name.find("__name__\x12\x02up") != std::string_view::npos;
      const bool ours = name.find("container_") != std::string_view::npos ||
                        name.find("kube_") != std::string_view::npos ||
                        name.find("node_") != std::string_view::npos;
      while (series.more()) {
        const uint64_t field = series.Varint();
        if (field != 0x12) {
          series.Skip(field);
          if (field == 0x0a) labels = static_cast<size_t>(series.at() - one.data());
          continue;
        }
        Walker sample(series.Bytes(series.Varint()));
        uint64_t value = 0;
        int64_t time = 0;
        while (sample.more()) {
          const uint64_t part = sample.Varint();
          if (part == 0x09) {
            const std::string_view bytes = sample.Bytes(8);
            if (bytes.size() == 8) std::memcpy(&value, bytes.data(), 8);
          } else if (part == 0x10) {
            time = static_cast<int64_t>(sample.Varint());
          } else {
            sample.Skip(part);
          }
        }
        if (!sample.good()) return false;
        if (is_up && value == 0) counts_.down++;
        if (!ours || value == kStaleNan) continue;
        counts_.samples++;
        latest = std::max(latest, time);
        if (!options_.count_only) Note(XXH3_64bits(one.data(), labels), time, value);
      }
      if (!series.good()) return false;
    }
    if (latest > 0) counts_.delays_ms.push_back(now - latest);
    return request.good();
  }

  void Note(uint64_t hash, int64_t time, uint64_t value) {
    auto& [last, had] = series_[hash];
    const int64_t interval = options_.interval_s * 1000;
    if (last == time) counts_.duplicates++;
    if (time < last) counts_.out_of_order++;
    const int64_t scrapes = (time - last + interval / 2) / interval;
    if (last > 0 && scrapes > 1) counts_.missing += static_cast<uint64_t>(scrapes) - 1;
    if (last > 0 && value != had) counts_.changed++;
    last = std::max(last, time);
    had = value;
  }

  ProcessOptions CommandIn(const TemporaryFolder& folder) const {
    std::string config = fmt::format(
        "global: {{scrape_interval: {0}s, scrape_timeout: {0}s, external_labels: {{cluster: "
        "bench}}}}\n"
        "scrape_configs:\n- job_name: bench\n  static_configs:\n",
        options_.interval_s);
    for (size_t i = 0; i < options_.targets; i++) {
      config += fmt::format(
          "  - {{targets: ['127.0.0.1:{}'], labels: {{__metrics_path__: {}, instance: "
          "node-{}}}}}\n",
          options_.port, LoadPage::TargetPath(i), i);
    }
    config +=
        fmt::format("remote_write:\n- url: http://127.0.0.1:{}/api/v1/write\n", options_.port + 1);
    std::istringstream words(options_.agent);
    ProcessOptions process;
    words >> process.program;
    for (std::string word; words >> word;) process.arguments.push_back(word);
    process.arguments.push_back("--config.file=" + folder.Write("prometheus.yml", config));
    process.arguments.push_back("--storage.path=" + (folder / "data"));
    process.arguments.push_back(
        fmt::format("--web.listen-address=127.0.0.1:{}", options_.port + 2));
    return process;
  }

  static constexpr uint64_t kStaleNan = 0x7ff0000000000002;

  const ScaleOptions options_;
  std::vector<std::unique_ptr<FixedPage>> pages_;  // the first server's thread
  std::atomic<bool> stopped_ = false;
  std::string raw_;  // the second's
  struct Last {
    int64_t time = 0;
    uint64_t value = 0;
  };
  mutable std::mutex mutex_;  // of what follows
  boost::unordered_flat_map<uint64_t, Last> series_;
  Counts counts_;
  std::unique_ptr<Server> targets_, receiver_;
};

int Main(int argc, char** argv) {
  CLI::App app("Runs an agent against many targets and a receiver, and says what it costs.");
  ScaleOptions options;
  app.add_option("--agent", options.agent, "Program, and arguments of it")->required();
  app.add_option("--targets", options.targets)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--lines", options.lines, "Series of a target")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--interval", options.interval_s, "Seconds between scrapes")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--settle", options.settle_s, "Seconds from when all series came to the window")
      ->capture_default_str();
  app.add_option("--window", options.window_s, "Seconds that are measured")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--port", options.port, "The first of three that are free")->capture_default_str();
  app.add_flag("--count-only", options.count_only, "Count samples without looking at series");
  CLI11_PARSE(app, argc, argv);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  ScaleRun run(options);
  const std::optional<nlohmann::json> result = run.Measure();
  if (!result) return 1;
  fmt::print("{}\n", result->dump());
  return 0;
}

}  // namespace
}  // namespace tributary

int main(int argc, char** argv) { return tributary::Main(argc, argv); }
