#include "test/sim/random_world.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace tributary {

using std::chrono::minutes;

WorldOptions RandomWorld::MakeOptions(uint64_t seed) {
  SimRandom random(seed * 7919);
  WorldOptions options;
  options.seed = seed;
  options.workers = 1 + random.Below(3);
  if (random.Chance(0.15)) options.log.memory_bytes = 2000 + random.Below(100'000);
  if (random.Chance(0.75)) DrawDisk(random, options);
  return options;
}

RandomWorld::RandomWorld(uint64_t seed) : random_(seed), world_(MakeOptions(seed)) {
  const WorldOptions options = MakeOptions(seed);
  on_disk_ = options.disk.has_value();
  tiny_log_ = options.log.memory_bytes < 1 << 20;
  tiny_window_ = on_disk_ && options.log.window_bytes < 1 << 20;
  steps_clock_ = Chance(0.25);
  errors_as_prometheus_ = Chance(0.5);
  // Another process does not know what was left out, and sends it late.
  quarantine_ = !on_disk_ && Chance(0.5);
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

// Whatever hangs or is down, the witness gets what was scraped soon after it was; unless that has
// to be read from a disk that does not read, or by a process that did not scrape it.
void RandomWorld::WatchDelay() {
  witness_->on_stored = [this](const StoredSeries& series, const StoredSeries::Sample& sample) {
    const PageValue value = PageValue::Decode(sample.value);
    if (value.scrape == 0 || tiny_log_) return;
    const nanoseconds delay =
        sample.stored - world_.Target(value.target)->scrapes()[value.scrape - 1].arrived;
    const MonotonicTime since = sample.stored - delay;
    const bool was_ill = world_.doubts().disk_ill() || world_.doubts().disk_well_since() > since;
    if (was_ill && (tiny_window_ || world_.processes() > 1)) return;
    if (world_.process_begun() > since) return;
    // A slow page's time, the batch's deadline, what a write may take before it is not waited for,
    // and a little.
    if (delay > seconds(15) + seconds(1) + seconds(1) + seconds(1)) {
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
  if (errors_as_prometheus_) {
    text += kErrorsAsPrometheus;
  } else if (!quarantine_) {
    text += "tributary:\n  remote_write: {quarantine_refused: false}\n";
  }
  text += "remote_write:\n";
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

// One that is answered with 429 for long takes no shard.
uint64_t RandomWorld::RequestsMax(const RemotePlan& plan) const {
  return (plan.max_shards + (errors_as_prometheus_ ? 0 : 1)) * world_.workers();
}

void RandomWorld::Reload() {
  // Requests of before the reload are still in flight: the bounds are the wider ones from now on.
  for (RemotePlan& plan : remotes_) {
    SimRemote::Bounds& bounds = plan.remote->bounds;
    const uint64_t requests = RequestsMax(plan);
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
  switch (random_.Below(16)) {
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
    case 11:
    case 12:
    case 13:
      return BreakDisk();
    case 14:
      return EndProcess();
    default:
      return StepClock();
  }
}

}  // namespace tributary
