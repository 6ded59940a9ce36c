// What the agent must have delivered, worked out from what targets served and the network saw:
// plain, slow, and with nothing of the agent's code.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "test/sim/sim_remote.h"
#include "test/sim/sim_world.h"

namespace tributary {

// One target's time in the world.
struct TargetLife {
  uint32_t id = 0;
  std::string job;
  nanoseconds interval{};
  // When it was not plainly scraped: it was not in its file, or its job was changed. What happens
  // within these stretches (begin, end) is not judged.
  std::vector<std::pair<MonotonicTime, MonotonicTime>> unsettled;

  bool Settled(MonotonicTime from, MonotonicTime to) const;
};

class Oracle {
 public:
  Oracle(World& world, std::vector<TargetLife> targets);

  // Scrapes come at even intervals, each target's at the offset where it began, and none is missed.
  void CheckSchedule();
  // `remote` was there all the time, took everything and changed nothing: it has exactly what the
  // scrapes gave, with the times at which they were due. As many samples as the agent says that it
  // lost for it (World::CountedLosses) may be missing, and what is in doubt.
  void CheckWitness(const SimRemote& remote);
  // `remote` was there all the time: it has all that the witness has but for what `may_lack`, and
  // nothing else.
  void CheckAgainstWitness(
      const SimRemote& witness, const SimRemote& remote,
      const std::function<bool(const StoredSeries&, const StoredSeries::Sample&)>& may_lack);

 private:
  struct Expected {
    double value;
    bool ambiguous;  // the clock went back: the same time twice
    bool in_doubt;   // its process or the power ended before it was surely on disk
  };
  using Missing = std::vector<std::string>;

  void ExpectScrapes(const TargetLife& life);
  void Expect(const std::string& key, const ScrapeTrace& trace, double value);
  bool IsExpected(const std::string& key, TimestampMs timestamp) const;
  void ReportMissing(const SimRemote& remote, const Missing& missing);
  const TargetLife* Life(uint32_t target) const;

  World& world_;
  const std::vector<TargetLife> targets_;
  std::map<std::string, std::map<TimestampMs, Expected>> expected_;
};

}  // namespace tributary
