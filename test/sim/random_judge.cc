// How a random world is played to its end, and what must hold then.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "test/sim/random_world.h"

namespace tributary {

using std::chrono::minutes;

void RandomWorld::HealAll() {
  HealDisk();
  for (RemotePlan& plan : remotes_) {
    plan.remote->server().refusing = plan.remote->server().unreachable = false;
    plan.remote->Always(RemoteAct::kStore);
    plan.remote->SetLatency(milliseconds(1), milliseconds(1));
  }
  for (auto& [id, life] : lives_) world_.Target(id)->SetMood(TargetMood::kGood);
}

void RandomWorld::CatchUp() {
  auto caught_up = [&] {
    return std::all_of(remotes_.begin(), remotes_.end(), [&](const RemotePlan& plan) {
      if (!plan.present) return true;
      const RemoteTotals totals = world_.Totals(*plan.remote);
      return totals.pending < 3000 && (!plan.permanent || totals.unread < 1000);
    });
  };
  if (!world_.RunUntil(caught_up, minutes(20))) {
    for (const RemotePlan& plan : remotes_) {
      const RemoteTotals totals = world_.Totals(*plan.remote);
      world_.Problem(fmt::format("the backlog does not go away: {}: {} pending, {} unread",
                                 plan.remote->host(), totals.pending, totals.unread));
    }
  }
}

void RandomWorld::End() {
  const bool dead = remotes_.size() > 1 && Chance(0.3);
  if (dead) {
    remotes_[1].remote->server().refusing = true;
    world_.Run(seconds(35));  // something will be scraped in that time
  }
  const bool lost_anyway =
      dead && remotes_[1].present && world_.Totals(*remotes_[1].remote).pending > 0;
  const nanoseconds deadline = seconds(40);
  const World::End end = world_.Shutdown(deadline);
  if (!end.done) return world_.Problem("Shutdown never called back");
  if (lost_anyway && remotes_[1].age_limit_s == 0) {
    if (end.drained) world_.Problem("drained, though a remote was dead");
    // What is left is written to disk.
    const bool late = end.took > deadline + (on_disk_ ? seconds(1) : seconds(0));
    if (end.took < deadline || late) world_.Problem("the deadline was not kept");
  } else if (!dead) {
    if (!end.drained) world_.Problem("not drained, though all remotes were well");
    // A remote may have asked to be left alone for 20 s.
    if (end.took > seconds(25)) world_.Problem("the drain took long");
  }
  if (!dead || !on_disk_ || !world_.problems().empty()) return;
  // What was left then is sent by the next process.
  HealAll();
  Restart();
  CatchUp();
  if (!world_.Shutdown(deadline).drained) world_.Problem("not drained by the next process");
}

void RandomWorld::CheckCounts(const RemotePlan& plan) {
  const std::string& host = plan.remote->host();
  RemoteQueueStats stats = world_.Totals(*plan.remote).stats;
  stats += world_.PastStats(*plan.remote);
  // The end of a process may come between a remote's answer and the agent's counting it.
  const uint64_t sent = stats.sent.samples, acknowledged = plan.remote->acknowledged_samples();
  if (world_.processes() > 1 ? sent > acknowledged : sent != acknowledged) {
    world_.Problem(fmt::format("{}: {} sent, {} acknowledged", host, sent, acknowledged));
  }
  if (stats.dropped[DropReason::kLogFull].samples > world_.evicted_samples()) {
    world_.Problem(fmt::format("{}: {} lost, the log gave up {}", host,
                               stats.dropped[DropReason::kLogFull].samples,
                               world_.evicted_samples()));
  }
  const uint64_t damaged = stats.dropped[DropReason::kLogDamaged].samples;
  if (damaged > 0 && !world_.lost_any()) {
    world_.Problem(fmt::format("{}: {} damaged, though nobody damaged them", host, damaged));
  }
}

void RandomWorld::Judge() {
  std::vector<TargetLife> lives;
  for (const auto& [id, life] : lives_) lives.push_back(life);
  Oracle oracle(world_, lives);
  oracle.CheckSchedule();
  if (const uint64_t unread = world_.Totals(*witness_).unread; unread > 0) {
    world_.Problem(fmt::format("{} samples were not read for the witness", unread));
  }
  oracle.CheckWitness(*witness_);
  for (const RemotePlan& plan : remotes_) {
    if (!plan.permanent) continue;
    CheckCounts(plan);
    const RemoteTotals totals = world_.Totals(*plan.remote);
    if (plan.remote == witness_ || totals.pending + totals.unread > 0) continue;
    oracle.CheckAgainstWitness(
        *witness_, *plan.remote, [&](const auto& series, const auto& sample) {
          const bool dropped = std::any_of(
              plan.dropped_digits.begin(), plan.dropped_digits.end(),
              [&](int digit) { return series.sid % 10 == static_cast<uint32_t>(digit); });
          return (dropped && series.sid != 0) || plan.had_age_limit ||
                 plan.remote->Rejected(series.key, sample.timestamp);
        });
  }
}

std::string RandomWorld::Play() {
  for (RemotePlan& plan : remotes_) {
    plan.remote->bounds = {static_cast<uint64_t>(plan.batch), RequestsMax(plan), seconds(10)};
  }
  for (const JobPlan& job : jobs_) {
    for (uint32_t id : job.absent) {
      lives_[id].unsettled.emplace_back(MonotonicTime{}, MonotonicTime::max());
    }
  }
  if (auto started = world_.Start(Config()); !started) return started.error().message;
  const uint64_t events = Chance(0.2) ? 30 + random_.Below(40) : 5 + random_.Below(20);
  for (uint64_t i = 0; i < events && world_.problems().empty(); i++) {
    world_.Run(random_.Between(milliseconds(100), seconds(Pick({5, 20, 60}))));
    Event();
  }
  if (world_.problems().empty()) HealAll();
  if (world_.problems().empty()) CatchUp();
  if (world_.problems().empty()) End();
  if (world_.problems().empty()) Judge();
  return world_.problems().empty() ? "" : world_.Report();
}

}  // namespace tributary
