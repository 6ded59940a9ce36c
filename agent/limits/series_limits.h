// All limits on series of the process, and which series are the agent's own: those are never
// dropped for a limit.
//
// Any thread. Outlives who has limits of it; a limit that is forgotten lives on with who has it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/limits/series_limit.h"
#include "agent/telemetry/metric_sink.h"

namespace tributary {

// Whether a series by that name tells of an agent: up and what else a scrape reports of itself, and
// tributary_*.
bool IsAgentMetric(std::string_view name);

// The header by which a page of /metrics says of which process it is.
inline constexpr std::string_view kProcessHeader = "X-Tributary-Process";

class SeriesLimits {
 public:
  // `process`: what tells this process from all others; "": nothing does.
  explicit SeriesLimits(std::string process = "") : process_(std::move(process)) {}
  SeriesLimits(const SeriesLimits&) = delete;
  SeriesLimits& operator=(const SeriesLimits&) = delete;

  // The limit of that name, from now on so high. With `limit` 0 null: there is none, until it is
  // set again; then it is the same, so that workers which are not equally far agree.
  std::shared_ptr<SeriesLimit> Set(LimitScope scope, const std::string& name, uint64_t limit);

  // Forgets those of other names in the scope.
  void Keep(LimitScope scope, const std::set<std::string>& names);

  // The room of a sender, the same for all workers as long as one has it. Its limit is that of
  // (kSender, ""), which is told what is over it.
  std::shared_ptr<SeriesLimit> SenderRoom(const std::string& sender);

  const std::string& process() const { return process_; }
  // The series of this target (GroupDefinition::target_key) are the agent's own.
  void NoteOwn(uint64_t target_key);
  bool IsOwn(uint64_t target_key) const;

  std::vector<SeriesLimitStatus> Status() const;
  void Collect(MetricSink& sink) const;

 private:
  const std::string process_;
  mutable std::mutex mutex_;
  std::map<std::pair<LimitScope, std::string>, std::shared_ptr<SeriesLimit>> limits_;
  std::map<std::string, std::weak_ptr<SeriesLimit>> sender_rooms_;
  std::set<uint64_t> own_;
};

}  // namespace tributary
