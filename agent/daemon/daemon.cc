#include "agent/daemon/daemon.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "agent/control/agent.h"
#include "agent/control/fetched_config.h"
#include "agent/daemon/ask.h"
#include "agent/daemon/loop_pulse.h"
#include "agent/daemon/resident_memory.h"
#include "agent/daemon/service_notifier.h"
#include "agent/daemon/worker_thread.h"
#include "agent/limits/series_limits.h"
#include "agent/memory/memory_guard.h"
#include "agent/memory/memory_limit.h"
#include "agent/receive/replica_file.h"
#include "agent/telemetry/metric_page.h"
#include "agent/web/server.h"
#include "common/base/host_name.h"
#include "common/base/units.h"
#include "common/base/version.h"
#include "common/dns/cares_transport.h"
#include "common/event/system_event_loop.h"
#include "common/file/posix_file_system.h"
#include "common/http/system_transport.h"

namespace tributary {

namespace {

// How long an API request waits for the threads that know the answer.
constexpr std::chrono::milliseconds kAnswerMax{2000};
// Reading a configuration may mean reading many files.
constexpr std::chrono::milliseconds kReloadMax{30000};

// Idle connections to the servers that discovery asks.
constexpr size_t kDiscoveryConnectionsMax = 64;

// What a stop may take beside the deadline for delivery: the last writes, threads that end.
constexpr seconds kStopExtra{10};

// After so long what a start needs has been done, first scrapes included.
constexpr seconds kSettled{15};

std::optional<std::string> Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Each target and each request under way needs a descriptor.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // if it fails the limit stays as it was
}

// Those of the interfaces, and what a pod is told of the node below it ($HOST_IP).
std::vector<std::string> NodeAddresses() {
  std::vector<std::string> addresses;
  if (auto host = Environment("HOST_IP")) addresses.push_back(*std::move(host));
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) != 0) return addresses;  // loopback is known without them
  for (const ifaddrs* one = interfaces; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const int family = one->ifa_addr->sa_family;
    const void* address = nullptr;
    if (family == AF_INET) {
      address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    } else if (family == AF_INET6) {
      address = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
    } else {
      continue;
    }
    char text[INET6_ADDRSTRLEN] = "";
    if (inet_ntop(family, address, text, sizeof(text)) != nullptr) addresses.emplace_back(text);
  }
  freeifaddrs(interfaces);
  return addresses;
}

// That nobody else has.
std::string RandomName() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options)
      : options_(options), logger_(options.log_level, options.log_format) {}

  int Run();

 private:
  bool TakeStorage();
  bool StartWorkers();
  // Nullopt: told to stop before the configuration was there.
  std::optional<Status> StartAgent();
  void Reload(FetchedConfig::Done done);
  // Asks each worker, one after the other; false: one does not answer.
  template <typename Answer>
  bool AskWorkers(const std::function<Answer(const Worker&)>& question,
                  const std::function<void(Answer)>& take);
  bool ReadWebConfig();
  void RestoreReplicas();
  void StartReceiving(WebHandlers& handlers);
  bool StartWeb();
  void StopWeb();
  void WatchSignals();
  void OnSignal();
  // To the service manager: that the agent is ready, and how it is.
  void NotifyReady();
  void FeedWatchdog();
  void Stop(const std::string& why);
  Result<std::string> MetricsPage();
  Result<TargetsStatus> Targets();
  Result<RemoteWriteStatus> RemoteWrite();
  Result<FederateSource> Federate();
  RuntimeInfo Info();

  const DaemonOptions& options_;
  Logger logger_;
  ServiceNotifier manager_{Environment, logger_};
  PosixFileSystem files_;
  SystemEventLoop loop_;
  // For discovery, which runs on the control loop.
  SystemTransport http_{loop_, CurlTransportOptions{.connections_max = kDiscoveryConnectionsMax}};
  CaresTransport dns_{loop_};
  MemoryGuard memory_{loop_,
                      logger_,
                      options_.memory_limit ? *options_.memory_limit : CgroupMemoryLimit(files_),
                      {ResidentAnonymousBytes, ReleaseUnusedMemory}};
  TimestampMs start_ms_ = 0;
  std::unique_ptr<FileLock> lock_;
  ReplicaElection election_;
  SeriesLimits limits_{RandomName()};
  const std::shared_ptr<VisitorReturns> returns_ = std::make_shared<VisitorReturns>();
  std::atomic<size_t> next_receiver_{0};
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<FetchedConfig> fetched_;  // null: the configuration is a file
  std::unique_ptr<WebAccess> access_;       // null: no --web.config.file
  const std::shared_ptr<WebCounters> web_counters_ = std::make_shared<WebCounters>();
  std::unique_ptr<WebServer> web_;
  std::optional<LoopPulse> pulse_;
  Timer settled_{loop_};
  int signals_ = -1;
  bool stopping_ = false;
};

void BlockSignals(sigset_t& set) {
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A peer that closes its connection is an error of a write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
}

void Daemon::WatchSignals() {
  sigset_t set;
  BlockSignals(set);
  signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  loop_.WatchFd(signals_, EPOLLIN, [this](uint32_t) { OnSignal(); });
}

void Daemon::OnSignal() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGHUP) {
      if (!stopping_) Reload([](const Status&) {});  // has been logged
    } else {
      Stop(fmt::format("signal {}", strsignal(static_cast<int>(info.ssi_signo))));
    }
  }
}

void Daemon::Reload(FetchedConfig::Done done) {
  manager_.Reloading(loop_.Now());
  auto reloaded = [this, done = std::move(done)](const Status& status) {
    if (!stopping_) NotifyReady();
    done(status);
  };
  if (fetched_ != nullptr) return fetched_->Reload(std::move(reloaded));
  reloaded(agent_->Reload());
}

void Daemon::NotifyReady() {
  manager_.Ready(
      agent_->last_reload_succeeded()
          ? "scraping and sending"
          : "scraping and sending by the old configuration; the new one is refused, see the log");
}

void Daemon::FeedWatchdog() {
  if (manager_.watchdog() == nanoseconds(0)) return;
  std::vector<EventLoop*> loops;
  for (const auto& one : workers_) loops.push_back(&one->loop());
  pulse_.emplace(loop_, std::move(loops), [this] { manager_.Alive(); });
  pulse_->Start(manager_.watchdog() / 2);
}

void Daemon::Stop(const std::string& why) {
  if (stopping_) {
    // Whoever asks twice does not want to wait.
    logger_.Warn("told to stop again: ending at once", {{"by", why}});
    return loop_.Stop();
  }
  stopping_ = true;
  if (fetched_ != nullptr) fetched_->Stop();
  logger_.Info("stopping: no more scrapes, unsent samples are delivered",
               {{"by", why}, {"deadline", FormatDuration(options_.shutdown_deadline)}});
  manager_.Stopping(options_.shutdown_deadline + kStopExtra, "delivering unsent samples");
  agent_->Shutdown(options_.shutdown_deadline, [this](bool drained) {
    if (drained) {
      logger_.Info("all samples are delivered or dropped");
    } else {
      logger_.Warn(options_.storage_on_disk
                       ? "the deadline has passed: unsent samples stay on disk for the next start"
                       : "the deadline has passed with unsent samples, which are lost",
                   {{"deadline", FormatDuration(options_.shutdown_deadline)}});
    }
    loop_.Stop();
  });
}

bool Daemon::TakeStorage() {
  if (auto made = files_.CreateDirectories(options_.storage_path); !made) {
    logger_.Error("cannot use --storage.path", {{"err", made.error().message}});
    return false;
  }
  auto lock = files_.Lock((std::filesystem::path(options_.storage_path) / "lock").string());
  if (!lock) {
    logger_.Error("cannot use --storage.path", {{"err", lock.error().message}});
    return false;
  }
  lock_ = std::move(*lock);
  return true;
}

bool Daemon::StartWorkers() {
  const std::filesystem::path path(options_.storage_path);
  const uint32_t workers = options_.workers;
  const MonotonicTime begin = loop_.Now();
  uint64_t samples = 0, bytes = 0, segments = 0;
  AggregateOptions aggregates;
  aggregates.place.folder = path / "aggregates";
  if (options_.storage_on_disk) {
    aggregates.restored = std::make_shared<const std::vector<SavedState>>(
        ReadStates(files_, aggregates.place.folder, [this](const std::string& problem) {
          logger_.Warn("what was known of aggregates cannot be read; they begin anew",
                       {{"err", problem}});
        }));
  }
  for (uint32_t i = 0; i < workers; i++) {
    WorkerOptions options;
    options.workers = workers;
    options.memory = memory_.limit() > 0 ? &memory_ : nullptr;
    options.election = &election_;
    options.limits = &limits_;
    options.random_seed = static_cast<uint64_t>(loop_.WallNs()) + i;
    // What all may take is shared out.
    options.log = options_.log_memory;
    options.log.memory_bytes /= workers;
    options.log.window_bytes /= workers;
    const std::filesystem::path dead_letters = path / "dead-letter";
    if (options_.enable_federation) options.look_back_ms = options_.look_back.count();
    options.dead_letters.folder = i == 0 ? dead_letters : dead_letters / std::to_string(i);
    options.aggregates = aggregates;
    DiskLogOptions log = options_.log;
    log.path = path / "log";
    log.worker = i;
    log.workers = workers;
    log.retention_bytes /= workers;
    auto worker = std::make_unique<WorkerThread>();
    auto started = worker->Start(files_, logger_, options_.storage_on_disk ? &log : nullptr,
                                 std::move(options));
    if (!started) {
      logger_.Error("cannot open the sample log", {{"err", started.error().message}});
      return false;
    }
    if (const DiskLog* disk = worker->worker().log().disk(); disk != nullptr) {
      samples += worker->worker().log().stats().recovered.samples;
      bytes += disk->stats().bytes;
      segments += disk->stats().segments;
    }
    workers_.push_back(std::move(worker));
  }
  if (!options_.storage_on_disk) {
    logger_.Info("samples are kept in memory until they are delivered; a restart loses the rest");
    return true;
  }
  logger_.Info("the sample log is open",
               {{"path", path / "log"},
                {"samples", std::to_string(samples)},
                {"bytes", std::to_string(bytes)},
                {"segments", std::to_string(segments)},
                {"took", FormatDuration(std::chrono::duration_cast<std::chrono::milliseconds>(
                             loop_.Now() - begin))}});
  return true;
}

template <typename Answer>
bool Daemon::AskWorkers(const std::function<Answer(const Worker&)>& question,
                        const std::function<void(Answer)>& take) {
  for (const auto& one : workers_) {
    auto answer = Ask(one->loop(), kAnswerMax,
                      [question, worker = &one->worker()] { return question(*worker); });
    if (!answer) return false;
    take(std::move(*answer));
  }
  return true;
}

Result<std::string> Daemon::MetricsPage() {
  // Shared: a thread that answers too late writes to a page that nobody reads.
  auto page = std::make_shared<MetricPage>();
  CollectProcess(*page);
  for (const auto& one : workers_) {
    const auto answered = Ask(one->loop(), kAnswerMax, [page, worker = one.get()] {
      worker->Collect(*page);
      return true;
    });
    if (!answered) return Fail("a worker does not answer");
  }
  if (options_.enable_receiver) election_.Collect(*page);
  auto by_agent = Ask(loop_, kAnswerMax, [page, agent = agent_.get(), fetched = fetched_.get()] {
    agent->Collect(*page);
    if (fetched != nullptr) fetched->Collect(*page);
    return true;
  });
  if (!by_agent) return Fail("the control thread does not answer");
  web_counters_->Collect(*page);
  limits_.Collect(*page);
  memory_.Collect(*page);
  if (access_ != nullptr) {
    page->AddGauge("tributary_web_config_last_read_successful",
                   "Whether what the files of --web.config.file say now is in force.", {},
                   access_->last_read_good() ? 1 : 0);
  }
  return page->Text();
}

Result<TargetsStatus> Daemon::Targets() {
  std::vector<TargetStatus> active;
  const bool answered = AskWorkers<std::vector<TargetStatus>>(
      [](const Worker& worker) {
        std::vector<TargetStatus> targets;
        worker.FillStatus(targets);
        return targets;
      },
      [&](std::vector<TargetStatus> targets) {
        std::move(targets.begin(), targets.end(), std::back_inserter(active));
      });
  if (!answered) return Fail("a worker does not answer");
  auto status = Ask(loop_, kAnswerMax, [agent = agent_.get()] {
    TargetsStatus dropped;
    agent->FillDropped(dropped);
    return dropped;
  });
  if (!status) return Fail("the control thread does not answer");
  status->active = std::move(active);
  return std::move(*status);
}

Result<RemoteWriteStatus> Daemon::RemoteWrite() {
  std::optional<RemoteWriteStatus> sum;
  const bool answered = AskWorkers<RemoteWriteStatus>(
      [](const Worker& worker) { return worker.RemoteWrite(); },
      [&](RemoteWriteStatus part) {
        sum ? Add(*sum, part) : static_cast<void>(sum = std::move(part));
      });
  if (!answered) return Fail("a worker does not answer");
  return std::move(*sum);
}

Result<FederateSource> Daemon::Federate() {
  FederateSource source;
  const bool answered = AskWorkers<std::vector<LatestOfGroup>>(
      [](const Worker& worker) { return worker.Latest(); },
      [&](std::vector<LatestOfGroup> groups) {
        std::move(groups.begin(), groups.end(), std::back_inserter(source.groups));
      });
  if (!answered) return Fail("a worker does not answer");
  const auto config = Ask(loop_, kAnswerMax, [agent = agent_.get()] { return agent->config(); });
  if (!config || *config == nullptr) return Fail("the control thread does not answer");
  source.external_labels = (*config)->global.external_labels;
  source.now = loop_.WallMs();
  source.look_back_ms = options_.look_back.count();
  return source;
}

RuntimeInfo Daemon::Info() {
  RuntimeInfo info;
  info.start_ms = start_ms_;
  std::error_code ignored;
  info.cwd = std::filesystem::current_path(ignored).string();
  info.hostname = HostName();
  info.server_time_ms = loop_.WallMs();
  auto of_agent = Ask(loop_, kAnswerMax, [agent = agent_.get()] {
    return std::make_pair(agent->last_reload_succeeded(), agent->last_config_ms());
  });
  if (of_agent) std::tie(info.reload_config_success, info.last_config_ms) = *of_agent;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    info.threads++;
  }
  info.storage_retention =
      options_.storage_on_disk
          ? fmt::format("{} or {}", FormatDuration(options_.log.retention_time),
                        FormatSize(options_.log.retention_bytes))
          : "memory";
  return info;
}

bool Daemon::ReadWebConfig() {
  if (options_.web_config_file.empty()) return true;
  auto access = WebAccess::Open(files_, options_.web_config_file, [this](const std::string& why) {
    logger_.Error("the web configuration cannot be used; the last good one stays in force",
                  {{"err", why}});
  });
  if (access) {
    access_ = std::move(*access);
    return true;
  }
  std::cerr << access.error().message << "\n";
  logger_.Error("the web configuration cannot be used", {{"file", options_.web_config_file}});
  return false;
}

// A file that cannot be read costs no more than an election.
void Daemon::RestoreReplicas() {
  if (!options_.storage_on_disk) return;
  const std::string path =
      (std::filesystem::path(options_.storage_path) / "replicas.json").string();
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    const auto text = files_.ReadFile(path);
    const auto elected =
        text ? ParseReplicaFile(*text)
             : Result<std::vector<ReplicaElection::Elected>>(tl::unexpected(text.error()));
    if (elected) {
      election_.Restore(*elected, loop_.Now());
    } else {
      logger_.Warn("which replicas were elected cannot be read; the first that come will be",
                   {{"file", path}, {"err", elected.error().message}});
    }
  }
  election_.SetOnChange([this, path] {
    WorkerThread* const worker = workers_.front().get();
    worker->loop().Post([this, worker, path] { worker->SaveReplicas(files_, election_, path); });
  });
}

void Daemon::StartReceiving(WebHandlers& handlers) {
  std::vector<Receiver::Peer> peers;
  for (const auto& one : workers_) peers.push_back({&one->loop(), &one->worker().receiver()});
  PasswordCheck* const passwords = access_ != nullptr ? &access_->passwords() : nullptr;
  for (const auto& one : workers_) {
    one->loop().Post([worker = one.get(), peers, returns = returns_, passwords] {
      worker->Receive(peers, returns, passwords);
    });
  }
  RestoreReplicas();
  // Connections are shared out in turn; whose the series are is another matter (receiver.h).
  handlers.write = [this](WriteVisitor visitor) {
    WorkerThread& worker = *workers_[next_receiver_++ % workers_.size()];
    auto shared = std::make_shared<WriteVisitor>(std::move(visitor));
    worker.loop().Post([&worker, shared] { worker.Adopt(std::move(*shared)); });
  };
}

bool Daemon::StartWeb() {
  WebHandlers handlers;
  handlers.ready = [this] { return agent_->ready(); };
  handlers.metrics = [this] { return MetricsPage(); };
  handlers.targets = [this] { return Targets(); };
  handlers.remote_write = [this] { return RemoteWrite(); };
  handlers.series_limits = [this] { return limits_.Status(); };
  handlers.config_yaml = [this] {
    auto config = Ask(loop_, kAnswerMax, [agent = agent_.get()] { return agent->config(); });
    return config && *config ? (*config)->yaml : std::string();
  };
  handlers.flags = [this] { return options_.flags; };
  handlers.runtime_info = [this] { return Info(); };
  handlers.reload = [this]() -> Status {
    auto result = AskForLater<Status>(
        loop_, kReloadMax, [this](FetchedConfig::Done done) { Reload(std::move(done)); });
    if (!result) return Fail("the control thread does not answer");
    return *result;
  };
  if (options_.enable_federation) handlers.federate = [this] { return Federate(); };
  if (options_.enable_receiver) StartReceiving(handlers);
  handlers.quit = [this] { loop_.Post([this] { Stop("/-/quit"); }); };
  const bool tls = access_ != nullptr && access_->Current()->tls != nullptr;
  auto web = WebServer::Start({options_.listen_address, options_.enable_lifecycle, access_.get(),
                               web_counters_, returns_, limits_.process()},
                              handlers);
  if (!web) {
    logger_.Error(web.error().message);
    return false;
  }
  web_ = std::move(*web);
  logger_.Info("listening", {{"address", web_->address()}, {"tls", tls ? "true" : "false"}});
  return true;
}

// Requests under way may be waiting for an answer of this thread, so it goes on giving them.
void Daemon::StopWeb() {
  std::atomic<bool> gone{false};
  std::thread closer([this, &gone] {
    web_.reset();
    gone = true;
    loop_.Stop();
  });
  while (!gone) loop_.Run();
  closer.join();
}

std::optional<Status> Daemon::StartAgent() {
  if (fetched_ == nullptr) return agent_->Start();
  logger_.Info("fetching the configuration", {{"from", options_.config_file}});
  std::optional<Status> started;
  fetched_->Start([this, &started](Status result) {
    started = std::move(result);
    loop_.Stop();
  });
  loop_.Run();
  return started;
}

int Daemon::Run() {
  LimitFreeMemory();
  // Before any thread is started, so that all of them have the signals blocked.
  WatchSignals();
  RaiseDescriptorLimit();
  start_ms_ = loop_.WallMs();
  logger_.Info("starting Tributary",
               {{"version", std::string(Version())}, {"revision", std::string(Revision())}});
  if (!ReadWebConfig()) return 2;
  // In memory mode nothing is written, as nothing may be writable.
  if (options_.storage_on_disk && !TakeStorage()) return 1;
  manager_.SetStatus("opening the sample log");
  if (!StartWorkers()) return 1;
  AgentOptions agent_options;
  agent_options.config_file = options_.config_file;
  agent_options.hostname = HostName();
  agent_options.load.start_timestamps = options_.start_timestamps;
  const bool fetches = !options_.config_location.is_file();
  if (!fetches) agent_options.auto_reload = options_.auto_reload;
  agent_options.load.expand_env = options_.expand_env;
  agent_options.load.getenv = Environment;
  agent_options.load.host_name = HostName();
  if (options_.local_identity) agent_options.node_addresses = NodeAddresses;
  agent_options.shard = options_.shard;
  agent_options.limits = &limits_;
  std::vector<Agent::WorkerRef> workers;
  for (const auto& one : workers_) workers.push_back({&one->loop(), &one->worker()});
  const DiscoverySeams seams{loop_, files_, http_, dns_};
  agent_ = std::make_unique<Agent>(seams, logger_, std::move(workers), agent_options);
  if (fetches) {
    fetched_ = std::make_unique<FetchedConfig>(seams, logger_, *agent_, options_.config_location,
                                               agent_options.load, options_.auto_reload);
  }
  const std::optional<Status> started = StartAgent();
  if (!started) {
    workers_.clear();
    logger_.Info("stopped before there was a configuration");
    return 0;
  }
  if (!*started) {
    // For people at a terminal: every problem on a line of its own.
    std::cerr << started->error().message << "\n";
    logger_.Error("the configuration cannot be used", {{"file", options_.config_file}});
    return 2;
  }
  if (!StartWeb()) return 1;
  NotifyReady();
  FeedWatchdog();
  settled_.SetAfter(kSettled, [] { ReleaseUnusedMemory(); });
  memory_.Start();
  loop_.Run();
  StopWeb();
  election_.SetOnChange(nullptr);
  pulse_.reset();
  // None is destroyed while another may post to it.
  for (const auto& one : workers_) one->End();
  workers_.clear();
  logger_.Info("stopped");
  return 0;
}

}  // namespace

int RunDaemon(const DaemonOptions& options) {
  Daemon daemon(options);
  return daemon.Run();
}

}  // namespace tributary
