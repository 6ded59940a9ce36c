// Workers' aggregates with logs in memory and a disk for their state, on virtual time, and what has
// come into the logs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/aggregate/aggregates.h"
#include "agent/series/samples.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"

namespace tributary {

// By series as in "name{a=\"b\",c=\"d\"}", in the order in which they were appended.
using Logged = std::map<std::string, std::vector<std::pair<TimestampMs, double>>>;

// "name{a=\"b\",c=\"d\"}" as labels.
Labels LabelsOf(const std::string& text);
// A group of a target with these series.
GroupRef MakeGroup(uint64_t target_key, const std::vector<std::string>& series);

struct AggregateRig {
  explicit AggregateRig(SimLoop& world_loop, size_t workers = 1);
  // The process ends, in good order or by kill -9, and another one begins, with the rules that were
  // applied last.
  void Stop();
  void Kill() { workers.clear(); }
  void Start(size_t workers = 1);

  void Apply(std::vector<AggregateConfig> rules, std::vector<DownsampleConfig> downsample = {});
  // One record of the group, on the worker that has its partition; NaN (not the marker): absent.
  void Append(const GroupRef& group, TimestampMs time, std::vector<double> values);
  void Append(GroupSamples record);
  TimestampMs now() const { return loop.WallMs(); }
  // Of all workers added up; -1: there is no such line.
  double Metric(const std::string& series) const;

  struct One {
    One(SimLoop& loop, AggregateRig& rig, AggregateOptions options);
    SimWorkQueue work;
    SampleLog log;
    Aggregates aggregates;
  };

  SimLoop& loop;
  SimDisk disk;
  std::vector<std::string> problems;  // of files that were left out
  Config config;
  Logged logged;  // what is no aggregate
  Logged outputs;
  std::vector<std::unique_ptr<One>> workers;
};

// A rule called r with names for its outputs: {sum, "a:sum"}, ...
AggregateConfig RuleOf(std::vector<std::string> match, std::vector<std::string> by,
                       std::vector<AggregateConfig::Output> outputs);

}  // namespace tributary
