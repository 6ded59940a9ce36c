// The whole agent through random worlds: half an hour of virtual time each, with everything going
// wrong that can. TRIBUTARY_SIM_SEED=n replays one seed, TRIBUTARY_SIM_SEEDS=n runs so many (200).
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "test/sim/sim_oracle.h"
#include "test/sim/sim_world.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using std::chrono::minutes;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct JobPlan {
  std::string name;
  std::string file;
  int interval_s = 10;
  int timeout_s = 5;
  bool limits = false;  // an option that changes nothing, so that the job is another one
  int path = 0;
  std::vector<uint32_t> present;
  std::vector<uint32_t> absent;
};

struct RemotePlan {
  SimRemote* remote = nullptr;
  bool permanent = true;
  bool present = true;
  std::string name;  // "" for none
  int capacity = 1000, max_shards = 5, min_shards = 1, batch = 100;
  int deadline_ms = 1000, min_backoff_ms = 30, max_backoff_ms = 2000;
  bool retry_429 = false;
  bool is_v2 = false;
  int age_limit_s = 0;
  int drop_digit = -1;  // series whose sid ends with it are dropped
  std::string extra;    // value of a label added by write_relabel_configs
  // What has been so at any time.
  bool had_age_limit = false;
  std::vector<int> dropped_digits;
};

class RandomWorld {
 public:
  explicit RandomWorld(uint64_t seed);
  // What went wrong; "" if nothing did.
  std::string Play();

 private:
  static WorldOptions MakeOptions(uint64_t seed);
  int Pick(std::initializer_list<int> values);
  bool Chance(double probability) { return random_.Chance(probability); }

  void MakeJobs();
  void MakeRemotes();
  void DrawQueue(RemotePlan& plan);
  void WatchDelay();
  std::string Config() const;
  void Reload();

  void Event();
  void MoveTarget();
  void ChangeMood();
  void ChangeRemote();
  void ChangeQueue();
  void AddOrRemoveRemote();
  void ChangeJob();
  void RefusedReload();
  void StepClock();

  void Heal();
  void End();
  void Judge();

  SimRandom random_;
  World world_;
  bool tiny_log_ = false;
  bool steps_clock_ = false;
  std::string cluster_ = "a";
  std::vector<JobPlan> jobs_;
  std::vector<RemotePlan> remotes_;
  SimRemote* witness_ = nullptr;
  std::map<uint32_t, TargetLife> lives_;
};

WorldOptions RandomWorld::MakeOptions(uint64_t seed) {
  SimRandom random(seed * 7919);
  WorldOptions options;
  options.seed = seed;
  options.workers = 1 + random.Below(3);
  if (random.Chance(0.15)) options.log.memory_bytes = 2000 + random.Below(100'000);
  return options;
}

RandomWorld::RandomWorld(uint64_t seed) : random_(seed), world_(MakeOptions(seed)) {
  tiny_log_ = MakeOptions(seed).log.memory_bytes < 1 << 20;
  steps_clock_ = Chance(0.25);
  MakeJobs();
  MakeRemotes();
}

int RandomWorld::Pick(std::initializer_list<int> values) {
  return values.begin()[random_.Below(values.size())];
}

void RandomWorld::MakeJobs() {
  const uint64_t jobs = 1 + random_.Below(3);
  uint32_t id = 1;
  for (uint64_t j = 0; j < jobs; j++) {
    JobPlan job;
    job.name = fmt::format("job{}", j);
    job.file = fmt::format("/sd/{}.yml", job.name);
    job.interval_s = Pick({5, 10, 15, 30});
    job.timeout_s = Chance(0.3) ? job.interval_s : Pick({1, 3, 5});
    const uint64_t targets = 1 + random_.Below(6);
    for (uint64_t t = 0; t < targets; t++, id++) {
      SimTarget& target = world_.AddTarget(id);
      std::vector<uint32_t> series;
      const uint64_t count = random_.Below(Chance(0.05) ? 700 : 40);
      for (uint32_t s = 1; s <= count; s++) series.push_back(s);
      target.SetSeries(series);
      if (Chance(0.5)) target.set_churn(0.5);
      target.set_shuffle(Chance(0.3));
      if (Chance(0.3)) target.server().faults.piece_bytes_max = 1 + random_.Below(100);
      if (Chance(0.2)) target.ServeOwnTimes([this] { return world_.time().WallMs(); });
      (Chance(0.8) ? job.present : job.absent).push_back(id);
      TargetLife& life = lives_[id];
      life.id = id;
      life.job = job.name;
      life.interval = seconds(job.interval_s);
    }
    world_.WriteTargets(job.file, job.present);
    jobs_.push_back(job);
  }
}

void RandomWorld::DrawQueue(RemotePlan& plan) {
  plan.batch = Pick({1, 3, 10, 100, 500, 2000});
  plan.capacity = Pick({1, 10, 500, 5000});
  plan.max_shards = Pick({1, 2, 5, 20});
  plan.min_shards = std::min(plan.max_shards, Pick({1, 1, 2, 5}));
  plan.deadline_ms = Pick({200, 1000, 5000});
  plan.max_backoff_ms = Pick({100, 1000, 5000});
  plan.retry_429 = Chance(0.5);
  plan.is_v2 = Chance(0.5);
  plan.age_limit_s = Chance(0.1) ? 30 : 0;
  plan.had_age_limit |= plan.age_limit_s != 0;
  plan.drop_digit = Chance(0.3) ? static_cast<int>(random_.Below(10)) : -1;
  if (plan.drop_digit >= 0) plan.dropped_digits.push_back(plan.drop_digit);
  plan.extra = Chance(0.3) ? "x" : "";
}

void RandomWorld::MakeRemotes() {
  RemotePlan plan;
  plan.remote = witness_ = &world_.AddRemote("witness");
  plan.max_shards = 10;
  plan.batch = 500;
  plan.is_v2 = Chance(0.5);
  remotes_.push_back(plan);
  WatchDelay();
  const uint64_t others = random_.Below(3);
  for (uint64_t i = 0; i < others; i++) {
    RemotePlan other;
    other.remote = &world_.AddRemote(fmt::format("remote{}", i));
    other.permanent = Chance(0.7);
    other.present = other.permanent || Chance(0.5);
    if (Chance(0.5)) other.name = fmt::format("name{}", i);
    DrawQueue(other);
    other.remote->SetLatency(milliseconds(1), milliseconds(Pick({1, 10, 200})));
    remotes_.push_back(other);
  }
}

// Whatever hangs or is down, the witness gets what was scraped soon after it was.
void RandomWorld::WatchDelay() {
  witness_->on_stored = [this](const StoredSeries& series, const StoredSeries::Sample& sample) {
    const PageValue value = PageValue::Decode(sample.value);
    if (value.scrape == 0 || tiny_log_) return;
    const nanoseconds delay =
        sample.stored - world_.Target(value.target)->scrapes()[value.scrape - 1].arrived;
    // A slow page's time, the batch's deadline, and a little.
    if (delay > seconds(15) + seconds(1) + seconds(1)) {
      world_.Problem(fmt::format("the witness got {} only after {:.3f} s", series.key,
                                 std::chrono::duration<double>(delay).count()));
    }
  };
}

std::string RandomWorld::Config() const {
  std::string text =
      fmt::format("global:\n  external_labels: {{cluster: '{}'}}\nscrape_configs:\n", cluster_);
  for (const JobPlan& job : jobs_) {
    text += FileSdJob(job.name, job.file, fmt::format("{}s", job.interval_s),
                      fmt::format("{}s", job.timeout_s));
    if (job.path > 0) text += fmt::format("  metrics_path: /{}\n", job.path);
    if (job.limits) text += "  sample_limit: 100000\n";
  }
  text += std::string(kErrorsAsPrometheus) + "remote_write:\n";
  for (const RemotePlan& plan : remotes_) {
    if (!plan.present) continue;
    text += fmt::format("- url: {}\n", plan.remote->url());
    if (!plan.name.empty()) text += fmt::format("  name: {}\n", plan.name);
    text += "  remote_timeout: 10s\n  metadata_config: {send_interval: 60s}\n";
    text += "  send_exemplars: true\n  send_native_histograms: true\n";
    if (plan.is_v2) text += "  protobuf_message: io.prometheus.write.v2.Request\n";
    text += fmt::format(
        "  queue_config: {{capacity: {}, max_shards: {}, min_shards: {}, max_samples_per_send: {},"
        " batch_send_deadline: {}ms, min_backoff: {}ms, max_backoff: {}ms, retry_on_http_429: {},"
        " sample_age_limit: {}s}}\n",
        plan.capacity, plan.max_shards, plan.min_shards, plan.batch, plan.deadline_ms,
        plan.min_backoff_ms, plan.max_backoff_ms, plan.retry_429, plan.age_limit_s);
    if (plan.drop_digit < 0 && plan.extra.empty()) continue;
    text += "  write_relabel_configs:\n";
    if (plan.drop_digit >= 0) {
      text += fmt::format("  - {{source_labels: [sid], regex: '.*{}', action: drop}}\n",
                          plan.drop_digit);
    }
    if (!plan.extra.empty()) {
      text += fmt::format("  - {{target_label: extra, replacement: '{}'}}\n", plan.extra);
    }
  }
  return text;
}

void RandomWorld::Reload() {
  // Requests of before the reload are still in flight: the bounds are the wider ones from now on.
  for (RemotePlan& plan : remotes_) {
    SimRemote::Bounds& bounds = plan.remote->bounds;
    const uint64_t requests = static_cast<uint64_t>(plan.max_shards) * world_.workers();
    const auto batch = static_cast<uint64_t>(plan.batch);
    bounds.requests_max = plan.present ? std::max(bounds.requests_max, requests) : 1'000'000;
    bounds.samples_max = std::max(bounds.samples_max, batch);
  }
  world_.Note("reload: " + Config().substr(Config().find("remote_write")));
  if (auto reloaded = world_.Reload(Config()); !reloaded) world_.Problem(reloaded.error().message);
}

void RandomWorld::MoveTarget() {
  JobPlan& job = jobs_[random_.Below(jobs_.size())];
  const bool leaves = !job.present.empty() && (job.absent.empty() || Chance(0.4));
  std::vector<uint32_t>& from = leaves ? job.present : job.absent;
  std::vector<uint32_t>& to = leaves ? job.absent : job.present;
  if (from.empty()) return;
  const size_t which = random_.Below(from.size());
  const uint32_t id = from[which];
  from.erase(from.begin() + static_cast<ptrdiff_t>(which));
  to.push_back(id);
  world_.Note(fmt::format("target {} {}", id, leaves ? "leaves" : "joins"));
  // Until it may be scraped again: found by polling at the latest, and due within an interval.
  if (leaves) {
    lives_[id].unsettled.emplace_back(world_.time().Now(), MonotonicTime::max());
  } else {
    for (auto& [begin, end] : lives_[id].unsettled) {
      if (end == MonotonicTime::max())
        end = world_.time().Now() + seconds(40) + seconds(job.interval_s);
    }
  }
  world_.files().LoseNotifications(Chance(0.1));
  world_.WriteTargets(job.file, job.present);
}

void RandomWorld::ChangeMood() {
  auto it = lives_.begin();
  std::advance(it, random_.Below(lives_.size()));
  SimTarget& target = *world_.Target(it->first);
  target.SetMood(Chance(0.4) ? TargetMood::kGood
                             : static_cast<TargetMood>(random_.Below(kTargetMoods)));
  world_.Note(fmt::format("target {} is in mood {}", it->first, static_cast<int>(target.mood())));
}

void RandomWorld::ChangeRemote() {
  RemotePlan& plan = remotes_[random_.Below(remotes_.size())];
  if (plan.remote == witness_) return;
  SimRemote& remote = *plan.remote;
  remote.server().refusing = Chance(0.15);
  remote.server().unreachable = Chance(0.1);
  remote.SetRetryAfter(Chance(0.3) ? std::optional<int>(Pick({0, 1, 7, 20})) : std::nullopt);
  std::vector<RemoteAct> acts;
  if (Chance(0.4)) acts.push_back(RemoteAct::kStore);
  const uint64_t more = random_.Below(4);
  for (uint64_t i = 0; i < more; i++) {
    acts.push_back(static_cast<RemoteAct>(random_.Below(kRemoteActs)));
  }
  if (acts.empty()) acts.push_back(RemoteAct::kStore);
  remote.OneOf(acts);
  std::string names;
  for (RemoteAct act : acts) names += fmt::format(" {}", static_cast<int>(act));
  world_.Note(fmt::format("{} does{}{}{}", remote.host(), names,
                          remote.server().refusing ? ", refuses" : "",
                          remote.server().unreachable ? ", is silent" : ""));
}

void RandomWorld::ChangeQueue() {
  if (Chance(0.2)) {
    cluster_ = cluster_ == "a" ? "b" : "a";
  } else if (remotes_.size() > 1) {
    RemotePlan& plan = remotes_[1 + random_.Below(remotes_.size() - 1)];
    DrawQueue(plan);
    // Without a name in either, or with the same: known by its URL, or by its name.
    if (Chance(0.2)) plan.name = plan.name.empty() ? plan.remote->host() : "";
  }
  Reload();
}

void RandomWorld::AddOrRemoveRemote() {
  for (RemotePlan& plan : remotes_) {
    if (plan.permanent) continue;
    plan.present = !plan.present;
    // What was sent and not acknowledged when it was removed is not remembered.
    Reload();
    return;
  }
}

void RandomWorld::ChangeJob() {
  JobPlan& job = jobs_[random_.Below(jobs_.size())];
  if (Chance(0.5)) {
    job.limits = !job.limits;
  } else {
    // Other targets in the place of those before, with the same labels.
    job.path++;
    const MonotonicTime now = world_.time().Now();
    for (uint32_t id : job.present) {
      lives_[id].unsettled.emplace_back(now, now + seconds(5 + 2 * job.interval_s));
    }
  }
  Reload();
}

void RandomWorld::RefusedReload() {
  const auto before = world_.agent().config();
  const char* bad[] = {"no_such_option: 1\n", "remote_write:\n- url: ''\n", "{",
                       "scrape_configs:\n- job_name: a\n- job_name: a\n"};
  const char* text = bad[random_.Below(std::size(bad))];
  world_.Note("refused reload");
  if (world_.Reload(text)) world_.Problem(fmt::format("a bad file was taken: {}", text));
  if (world_.agent().config() != before) world_.Problem("a bad file changed the configuration");
}

void RandomWorld::StepClock() {
  if (!steps_clock_) return;
  // Less than the tolerance in which a scrape bears the time that it was due would be no step.
  const nanoseconds far = Chance(0.5) ? nanoseconds(minutes(90)) : nanoseconds(seconds(20));
  const nanoseconds by = random_.Between(milliseconds(10), far);
  world_.StepWall(Chance(0.5) ? by : -random_.Between(milliseconds(10), seconds(90)));
  world_.Note(fmt::format("the clock shows {}", world_.time().WallMs()));
}

void RandomWorld::Event() {
  switch (random_.Below(12)) {
    case 0:
    case 1:
      return MoveTarget();
    case 2:
    case 3:
    case 4:
      return ChangeMood();
    case 5:
    case 6:
    case 7:
      return ChangeRemote();
    case 8:
      return ChangeQueue();
    case 9:
      return AddOrRemoveRemote();
    case 10:
      return Chance(0.5) ? ChangeJob() : RefusedReload();
    default:
      return StepClock();
  }
}

void RandomWorld::Heal() {
  for (RemotePlan& plan : remotes_) {
    plan.remote->server().refusing = plan.remote->server().unreachable = false;
    plan.remote->Always(RemoteAct::kStore);
    plan.remote->SetLatency(milliseconds(1), milliseconds(1));
  }
  for (auto& [id, life] : lives_) world_.Target(id)->SetMood(TargetMood::kGood);
  auto caught_up = [&] {
    const uint64_t appended = world_.appended_samples();
    return std::all_of(remotes_.begin(), remotes_.end(), [&](const RemotePlan& plan) {
      if (!plan.present) return true;
      const RemoteTotals totals = world_.Totals(*plan.remote);
      return totals.pending < 3000 &&
             (!plan.permanent || totals.stats.read.samples + 1000 > appended);
    });
  };
  if (!world_.RunUntil(caught_up, minutes(20))) {
    for (const RemotePlan& plan : remotes_) {
      const RemoteTotals totals = world_.Totals(*plan.remote);
      world_.Problem(fmt::format("the backlog does not go away: {}: {} pending, {} of {} read",
                                 plan.remote->host(), totals.pending, totals.stats.read.samples,
                                 world_.appended_samples()));
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
    if (end.took != deadline) world_.Problem("the deadline was not kept");
  } else if (!dead) {
    if (!end.drained) world_.Problem("not drained, though all remotes were well");
    // A remote may have asked to be left alone for 20 s.
    if (end.took > seconds(25)) world_.Problem("the drain took long");
  }
}

void RandomWorld::Judge() {
  std::vector<TargetLife> lives;
  for (const auto& [id, life] : lives_) lives.push_back(life);
  Oracle oracle(world_, lives);
  oracle.CheckSchedule();
  const RemoteTotals witnessed = world_.Totals(*witness_);
  if (witnessed.stats.read.samples != world_.appended_samples()) {
    world_.Problem(fmt::format("{} samples appended, {} read for the witness",
                               world_.appended_samples(), witnessed.stats.read.samples));
  }
  if (witnessed.stats.sent.samples != witness_->acknowledged_samples()) {
    world_.Problem("the witness has not what was sent");
  }
  const uint64_t lost = witnessed.stats.dropped[DropReason::kLogFull].samples;
  if (lost > world_.evicted_samples()) world_.Problem("more lost than the log gave up");
  if (lost == 0) oracle.CheckWitness(*witness_);
  for (const RemotePlan& plan : remotes_) {
    if (!plan.permanent || plan.remote == witness_) continue;
    const RemoteTotals totals = world_.Totals(*plan.remote);
    if (totals.stats.sent.samples != plan.remote->acknowledged_samples()) {
      world_.Problem(fmt::format("{}: {} sent, {} acknowledged", plan.remote->host(),
                                 totals.stats.sent.samples, plan.remote->acknowledged_samples()));
    }
    const bool drained =
        totals.pending == 0 && totals.stats.read.samples == world_.appended_samples();
    if (!drained || lost > 0) continue;
    const bool evicted = totals.stats.dropped[DropReason::kLogFull].samples > 0;
    oracle.CheckAgainstWitness(
        *witness_, *plan.remote, [&](const auto& series, const auto& sample) {
          const bool dropped = std::any_of(
              plan.dropped_digits.begin(), plan.dropped_digits.end(),
              [&](int digit) { return series.sid % 10 == static_cast<uint32_t>(digit); });
          return (dropped && series.sid != 0) || plan.had_age_limit || evicted ||
                 plan.remote->Rejected(series.key, sample.timestamp);
        });
  }
}

std::string RandomWorld::Play() {
  for (RemotePlan& plan : remotes_) {
    plan.remote->bounds = {static_cast<uint64_t>(plan.batch),
                           static_cast<uint64_t>(plan.max_shards) * world_.workers(), seconds(10)};
  }
  for (const JobPlan& job : jobs_) {
    for (uint32_t id : job.absent) {
      lives_[id].unsettled.emplace_back(MonotonicTime{}, MonotonicTime::max());
    }
  }
  if (auto started = world_.Start(Config()); !started) return started.error().message;
  const uint64_t events = 30 + random_.Below(40);
  for (uint64_t i = 0; i < events && world_.problems().empty(); i++) {
    world_.Run(random_.Between(milliseconds(100), seconds(Pick({5, 20, 60}))));
    Event();
  }
  if (world_.problems().empty()) Heal();
  if (world_.problems().empty()) End();
  if (world_.problems().empty()) Judge();
  return world_.problems().empty() ? "" : world_.Report();
}

TEST_CASE("random worlds: what was scraped arrives everywhere, once, in order and in time") {
  const uint64_t one = FromEnvironment("TRIBUTARY_SIM_SEED", 0);
  const uint64_t seeds = one != 0 ? 1 : FromEnvironment("TRIBUTARY_SIM_SEEDS", 200);
  for (uint64_t i = 0; i < seeds; i++) {
    const uint64_t seed = one != 0 ? one : i + 1;
    INFO("replay with TRIBUTARY_SIM_SEED=" << seed);
    RandomWorld world(seed);
    const std::string problems = world.Play();
    CHECK_THAT(problems, Catch::Equals(""));
  }
}

}  // namespace
}  // namespace tributary
