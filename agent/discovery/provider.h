// A provider: one entry of one mechanism of service discovery, at work. It finds target groups and
// says when they have changed; Discovery decides when the scraper hears of it.
//
// A mechanism is a configuration in SdConfig, a Provider of its own, and a case of MakeProvider;
// Discovery knows none of them. Static groups need no provider.
//
// Control loop only. A provider never blocks, but for reads of small files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "agent/discovery/folder_watcher.h"
#include "agent/discovery/kubernetes/apis.h"
#include "agent/discovery/sd_counters.h"
#include "agent/telemetry/metric_sink.h"
#include "common/config/model.h"
#include "common/dns/resolver.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"

namespace tributary {

class Provider {
 public:
  virtual ~Provider() = default;

  // Takes over what another provider has found, as far as this one would look for it too, so that a
  // reload does not lose targets which cannot be asked for just now. Before Start, of any number of
  // them: the first that has something counts. No effect if it is of another mechanism.
  virtual void Adopt(const Provider& predecessor) = 0;

  // Begins to look. What can be had at once is there when it returns.
  virtual void Start() = 0;

  // Whether it has found what there is, or failed to: false until its first answers are in.
  virtual bool settled() const = 0;

  // Whether it could not even begin to look.
  virtual bool failed() const { return false; }

  // Appends what keeps it from knowing what there is now, in the words of the log, from the failure
  // until a later try goes well; nothing while all is well. Bounded, without secrets.
  virtual void AppendErrors(std::vector<std::string>& errors) const = 0;

  // Appends what was found last, in an order of its own that does not change by itself. No group is
  // empty. What cannot be asked for again stays.
  virtual void AppendGroups(std::vector<TargetGroup>& groups) const = 0;

  // Metrics of this provider; those that outlive it are in SdCounters.
  virtual void Collect(MetricSink& sink) const = 0;
};

using SdConfig = std::variant<FileSdConfig, HttpSdConfig, DnsSdConfig, Ec2SdConfig, EcsSdConfig,
                              EcsTaskSdConfig, KubernetesSdConfig>;

// All of a job but static_configs; equal ones once.
std::vector<SdConfig> SdConfigs(const ScrapeConfig& config);

// What providers work with. All of it must outlive them.
struct SdEnvironment {
  EventLoop& loop;
  FileSystem& files;
  HttpTransport& http;
  Resolver& dns;
  FolderWatcher& folders;
  KubeApis& kubernetes;
  SdCounters& counters;
  std::function<void(std::string)> warn;
  std::function<const char*(const char* name)> getenv;  // null: not set
};

// `job` is the first that asks for it. `changed` is called when AppendGroups would append something
// else than before, also from inside Start, but not once the provider is gone.
std::unique_ptr<Provider> MakeProvider(const SdConfig& config, const std::string& job,
                                       SdEnvironment& environment, std::function<void()> changed);

}  // namespace tributary
