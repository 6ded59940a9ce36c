// The configuration of an agent that fetches it (common/config_source): at the start, at each
// reload, and with auto-reload at its interval, to see whether it has changed.
//
// At the start it is tried for kStartFetchMax. At a reload for kReloadFetchMax; one that fails
// leaves the configuration in force. Reloads that are asked for while a fetch is under way share
// the next one, as that one may already have read what was there before. A look of auto-reload that
// fails is told when it is another failure than before, and is no change.
//
// Control loop only. Seams, logger and agent must outlive it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/control/agent.h"
#include "agent/logging/logger.h"
#include "agent/telemetry/metric_sink.h"
#include "common/config/config_files.h"
#include "common/config_source/config_fetch.h"

namespace tributary {

inline constexpr nanoseconds kStartFetchMax = seconds(60);
// Two of them fit into the time that who asks by HTTP waits: a look may be under way.
inline constexpr nanoseconds kReloadFetchMax = seconds(12);

class FetchedConfig {
 public:
  using Done = std::function<void(Status)>;

  // `options` are the agent's; `auto_reload` is its interval, 0: never.
  FetchedConfig(const DiscoverySeams& seams, Logger& logger, Agent& agent, ConfigLocation location,
                const LoadOptions& options, nanoseconds auto_reload);

  // Fetches, and starts the agent. `done` runs later, once, unless Stop comes first.
  void Start(Done done);
  // `done` runs later, once; with an error if Stop comes first.
  void Reload(Done done);
  // No more fetches.
  void Stop();
  void Collect(MetricSink& sink) const;

 private:
  void FetchForReload();
  void LookForChanges();
  void OnLook(const Result<std::string>& text);
  void LookLater();

  EventLoop& loop_;
  Logger& logger_;
  Agent& agent_;
  ConfigFetch fetch_;
  ConfigFiles files_;
  const nanoseconds auto_reload_;
  Timer look_timer_;
  bool fetching_ = false;
  bool stopped_ = false;
  bool reload_wanted_ = false;
  std::vector<Done> waiting_;  // for the reload that is wanted
  std::string look_error_;     // of the last look; "": it went well
};

}  // namespace tributary
