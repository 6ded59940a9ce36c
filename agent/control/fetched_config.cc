#include "agent/control/fetched_config.h"

#include <utility>

namespace tributary {

FetchedConfig::FetchedConfig(const DiscoverySeams& seams, Logger& logger, Agent& agent,
                             ConfigLocation location, const LoadOptions& options,
                             nanoseconds auto_reload)
    : loop_(seams.loop),
      logger_(logger),
      agent_(agent),
      fetch_(seams.loop, seams.http, seams.files, seams.getenv, std::move(location)),
      files_(seams.files, fetch_.location().text, options),
      auto_reload_(auto_reload),
      look_timer_(seams.loop) {}

void FetchedConfig::Start(Done done) {
  fetching_ = true;
  fetch_.Start(kStartFetchMax, [this, done = std::move(done)](Result<std::string> text) {
    fetching_ = false;
    if (stopped_) return;
    if (!text) return done(Fail(text.error().message));
    static_cast<void>(files_.Changed(*text));
    LookLater();
    done(agent_.Start(*text));
  });
}

void FetchedConfig::Reload(Done done) {
  if (stopped_) return done(Fail("the agent is stopping and takes no new configuration"));
  waiting_.push_back(std::move(done));
  reload_wanted_ = true;
  if (!fetching_) FetchForReload();
}

void FetchedConfig::FetchForReload() {
  reload_wanted_ = false;
  fetching_ = true;
  fetch_.Start(kReloadFetchMax,
               [this, waiting = std::exchange(waiting_, {})](const Result<std::string>& text) {
                 fetching_ = false;
                 Status reloaded;
                 if (stopped_) {
                   reloaded = Fail("the agent is stopping and takes no new configuration");
                 } else if (text) {
                   static_cast<void>(files_.Changed(*text));
                   reloaded = agent_.Reload(*text);
                 } else {
                   reloaded = agent_.RefuseReload(text.error().message);
                 }
                 for (const Done& done : waiting) done(reloaded);
                 if (reload_wanted_ && !fetching_) FetchForReload();
               });
}

void FetchedConfig::LookLater() {
  if (auto_reload_ <= nanoseconds(0)) return;
  look_timer_.SetAfter(auto_reload_, [this] { LookForChanges(); });
}

void FetchedConfig::LookForChanges() {
  LookLater();
  if (fetching_) return;
  fetching_ = true;
  fetch_.Start(kReloadFetchMax, [this](const Result<std::string>& text) {
    fetching_ = false;
    if (!stopped_) OnLook(text);
    if (reload_wanted_ && !fetching_) FetchForReload();
  });
}

void FetchedConfig::OnLook(const Result<std::string>& text) {
  Result<bool> changed = false;
  if (text) {
    changed = files_.Changed(*text);
  } else {
    changed = tl::unexpected(text.error());
  }
  const std::string error = changed ? "" : changed.error().message;
  if (!error.empty() && error != look_error_) {
    logger_.Warn("whether the configuration has changed cannot be seen, the old one stays in force",
                 {{"file", fetch_.location().text}, {"err", error}});
  }
  look_error_ = error;
  if (changed && *changed) static_cast<void>(agent_.Reload(*text));
}

void FetchedConfig::Stop() {
  stopped_ = true;
  look_timer_.Cancel();
  const Status stopping = Fail("the agent is stopping and takes no new configuration");
  reload_wanted_ = false;
  for (const Done& done : std::exchange(waiting_, {})) done(stopping);
}

void FetchedConfig::Collect(MetricSink& sink) const {
  sink.AddCounter("tributary_config_fetches_total",
                  "Tries to fetch the configuration from where --config.file says.", {},
                  static_cast<double>(fetch_.tries()));
  sink.AddCounter("tributary_config_fetch_failures_total",
                  "Tries to fetch the configuration that failed.", {},
                  static_cast<double>(fetch_.failures()));
}

}  // namespace tributary
