// Discovery: keeps the target groups of every job, from static_configs and whatever providers find
// (provider.h). Follows prometheus/prometheus discovery/manager.go (3.16).
//
// Control loop only, and never called from inside its own callbacks. Metrics are Prometheus'
// (prometheus_sd_*, name="scrape").
//
// When a job's groups reach the callback:
// - after Apply: at once, on the loop's next turn; for a new job also when it has no targets. Where
//   a changed job has providers that must first ask others, targets that are gone wait as below: so
//   those that the new providers find again do not come and go;
// - new targets: at once, but at least a second after an update that had targets;
// - targets gone: after two seconds. A file that is written anew piece by piece, or emptied and
//   filled again, loses nothing in that time.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/discovery/provider.h"
#include "agent/telemetry/metric_sink.h"
#include "agent/telemetry/status.h"
#include "common/config/model.h"
#include "common/dns/transport.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"

namespace tributary {

// What discovery sees of the world.
struct DiscoverySeams {
  EventLoop& loop;
  FileSystem& files;
  HttpTransport& http;
  DnsTransport& dns;
  // Of a variable of the environment; null: not set.
  std::function<const char*(const char* name)> getenv = [](const char* name) {
    return std::getenv(name);
  };
};

class Discovery {
 public:
  // All groups of the job, static ones first; none is empty.
  using OnUpdate = std::function<void(const std::string& job, std::vector<TargetGroup> groups)>;
  using Warn = std::function<void(std::string)>;

  // The seams must outlive it.
  Discovery(const DiscoverySeams& seams, OnUpdate on_update, Warn warn);
  // No callback comes after it.
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Takes over the jobs of a configuration. A job whose static_configs and *_sd_configs are what
  // they were is not touched: it gets no update for it, and its groups stay. Of a changed job the
  // unchanged parts stay. Jobs that are gone are forgotten without an update. Entries that are
  // equal share one provider, whatever their jobs.
  void Apply(const Config& config);

  // What the callback was last given for the job; empty for an unknown one. For those who build the
  // targets anew, with other rules.
  std::vector<TargetGroup> Groups(const std::string& job) const;

  // All groups that are known of the job, told or not; nullopt while a provider of it has not had
  // its first answer or failure, and for an unknown job. For those who look once.
  std::optional<std::vector<TargetGroup>> SettledGroups(const std::string& job) const;

  // What keeps each job from knowing its targets, by job; in the words of the log (provider.h).
  void AppendErrors(std::vector<DiscoveryError>& errors) const;

  void Collect(MetricSink& sink) const;

 private:
  struct Job;
  // A provider and what it was made of.
  struct Source {
    SdConfig config;
    std::unique_ptr<Provider> provider;
  };
  using Sources = std::vector<std::unique_ptr<Source>>;
  // When a change is told.
  enum class Urgency { kAtOnce, kByKind };

  static std::vector<TargetGroup> Compose(const Job& job);
  static bool IsSettled(const Job& job);
  // The source of this configuration, taken out of `old` or made; one that is made joins `added`.
  Source* SourceOf(const SdConfig& config, const std::string& job, Sources& old,
                   std::vector<Source*>& added);
  void SourceChanged(const Source& source);
  void Changed(Job& job, Urgency urgency);
  void Deliver(Job& job);

  EventLoop& loop_;
  const OnUpdate on_update_;
  SdCounters counters_;
  Resolver resolver_;
  FolderWatcher folders_;
  KubeApis kubernetes_;
  SdEnvironment environment_;
  std::map<std::string, std::unique_ptr<Job>> jobs_;
  Sources sources_;

  uint64_t sent_updates_ = 0;
  uint64_t delayed_updates_ = 0;
};

}  // namespace tributary
