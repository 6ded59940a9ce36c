// What `agentctl log` says of a log, as lines that are written as they come: a log may be larger
// than memory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/log/log_scan.h"

namespace tributary {

struct LogQuery {
  std::optional<uint32_t> partition = {};
  // Of dumps: all of these labels, by equality; "" stands for a label that is not there.
  std::vector<std::pair<std::string, std::string>> labels = {};
  std::optional<TimestampMs> from = {}, to = {};  // both included
};

// False: nobody reads on.
using LineSink = std::function<bool(std::string_view lines)>;

// Format, partitions, segments, cursors with their backlog.
Status InspectLog(Disk& disk, const LogFolder& folder, const LogQuery& query, const LineSink& sink);

struct VerifyTotals {
  uint64_t segments = 0, records = 0, bytes = 0, damages = 0, damaged_bytes = 0;
  uint64_t unfinished_bytes = 0;
  SampleCounts counts;
};
// A line for each place that is damaged.
Result<VerifyTotals> VerifyLog(Disk& disk, const LogFolder& folder, const LogQuery& query,
                               const LineSink& sink);

// A line for each sample, histogram and exemplar of finished commits, partition by partition in the
// order of the log:
//   up{job="a"} 1 1764280000000
//   up{job="a"} stale 1764280015000
//   h{job="a"} {count:5, sum:18.4, ...} 1764280000000
//   c_total{job="a"} # {trace_id="x"} 0.5 1764280000000
// What is damaged is told to `on_damage` and left out.
Status DumpLog(Disk& disk, const LogFolder& folder, const LogQuery& query, const LineSink& sink,
               const std::function<void(const LogDamage&)>& on_damage);

std::string DamageText(const LogDamage& damage);

}  // namespace tributary
