#include "agent/discovery/discovery.h"

#include <algorithm>
#include <utility>

#include "agent/target/group_packer.h"

namespace tributary {
namespace {

constexpr nanoseconds kUpdateSpacing = seconds(1);
constexpr nanoseconds kRemovalDelay = seconds(2);

// Sorted hashes of the targets with their groups' labels.
std::vector<uint64_t> TargetHashes(const std::vector<TargetGroup>& groups) {
  std::vector<uint64_t> hashes;
  for (const TargetGroup& group : groups) {
    Labels labels = group.labels;
    for (const std::string& target : group.targets) {
      labels.Set("__address__", target);
      hashes.push_back(labels.Hash());
    }
  }
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

}  // namespace

struct Discovery::Job {
  Job(EventLoop& loop, std::string job_name) : name(std::move(job_name)), delivery(loop) {}
  std::string name;
  std::vector<TargetGroup> static_configs;
  std::vector<SdConfig> sd_configs;
  std::vector<Source*> sources;  // of sd_configs
  GroupPacker packer;
  std::vector<std::string> delivered;       // groups, packed
  std::vector<uint64_t> delivered_targets;  // TargetHashes of them
  bool was_delivered = false;
  MonotonicTime delivered_at{};
  int64_t delivered_wall_ns = 0;
  Timer delivery;

  // Whether these are the groups that were delivered.
  bool Delivered(const std::vector<TargetGroup>& groups) {
    return was_delivered && std::equal(groups.begin(), groups.end(), delivered.begin(),
                                       delivered.end(), [this](const auto& group, const auto& old) {
                                         return packer.Pack(group) == old;
                                       });
  }
};

Discovery::Discovery(const DiscoverySeams& seams, OnUpdate on_update, Warn warn)
    : loop_(seams.loop),
      on_update_(std::move(on_update)),
      resolver_(seams.loop, seams.files, seams.dns),
      folders_(seams.loop, seams.files, counters_),
      kubernetes_(seams.loop, seams.http, seams.files, counters_.kubernetes, warn),
      environment_{seams.loop,  seams.files, seams.http,      resolver_,   folders_,
                   kubernetes_, counters_,   std::move(warn), seams.getenv} {}

Discovery::~Discovery() = default;

void Discovery::Apply(const Config& config) {
  std::map<std::string, std::unique_ptr<Job>> old_jobs = std::move(jobs_);
  Sources old_sources = std::move(sources_);
  jobs_.clear();
  sources_.clear();
  std::vector<Job*> changed;
  std::vector<Source*> added;
  for (const ScrapeConfig& scrape : config.scrape_configs) {
    std::unique_ptr<Job>& job = jobs_[scrape.job_name];
    job = std::move(old_jobs[scrape.job_name]);
    std::vector<SdConfig> sd_configs = SdConfigs(scrape);
    if (job == nullptr) job = std::make_unique<Job>(loop_, scrape.job_name);
    if (!job->was_delivered || job->static_configs != scrape.static_configs ||
        job->sd_configs != sd_configs) {
      changed.push_back(job.get());
    }
    job->static_configs = scrape.static_configs;
    job->sd_configs = std::move(sd_configs);
    job->sources.clear();
    for (const SdConfig& entry : job->sd_configs) {
      job->sources.push_back(SourceOf(entry, job->name, old_sources, added));
    }
  }
  std::erase(old_sources, nullptr);
  for (Source* source : added) {
    for (const auto& gone : old_sources) source->provider->Adopt(*gone->provider);
    // Other jobs may have kept what this one had shared with them.
    for (const auto& other : sources_) {
      if (other.get() != source) source->provider->Adopt(*other->provider);
    }
  }
  for (Source* source : added) source->provider->Start();
  for (Job* job : changed) {
    counters_.received_updates++;
    Changed(*job, IsSettled(*job) ? Urgency::kAtOnce : Urgency::kByKind);
  }
}

Discovery::Source* Discovery::SourceOf(const SdConfig& config, const std::string& job, Sources& old,
                                       std::vector<Source*>& added) {
  const auto same = [&config](const auto& s) { return s != nullptr && s->config == config; };
  const auto shared = std::find_if(sources_.begin(), sources_.end(), same);
  if (shared != sources_.end()) return shared->get();
  const auto kept = std::find_if(old.begin(), old.end(), same);
  if (kept != old.end()) {
    sources_.push_back(std::move(*kept));
    return sources_.back().get();
  }
  auto source = std::make_unique<Source>(Source{config, nullptr});
  source->provider = MakeProvider(config, job, environment_,
                                  [this, made = source.get()] { SourceChanged(*made); });
  added.push_back(source.get());
  sources_.push_back(std::move(source));
  return sources_.back().get();
}

std::vector<TargetGroup> Discovery::Compose(const Job& job) {
  std::vector<TargetGroup> groups;
  for (size_t i = 0; i < job.static_configs.size(); i++) {
    if (job.static_configs[i].targets.empty()) continue;
    groups.push_back(job.static_configs[i]);
    groups.back().source = std::to_string(i);
  }
  for (const Source* source : job.sources) source->provider->AppendGroups(groups);
  return groups;
}

std::vector<TargetGroup> Discovery::Groups(const std::string& job) const {
  const auto found = jobs_.find(job);
  std::vector<TargetGroup> groups;
  if (found == jobs_.end()) return groups;
  const Job& known = *found->second;
  groups.reserve(known.delivered.size());
  for (const std::string& packed : known.delivered) groups.push_back(known.packer.Unpack(packed));
  return groups;
}

bool Discovery::IsSettled(const Job& job) {
  return std::all_of(job.sources.begin(), job.sources.end(),
                     [](const Source* source) { return source->provider->settled(); });
}

std::optional<std::vector<TargetGroup>> Discovery::SettledGroups(const std::string& job) const {
  const auto found = jobs_.find(job);
  if (found == jobs_.end() || !IsSettled(*found->second)) return std::nullopt;
  return Compose(*found->second);
}

void Discovery::SourceChanged(const Source& source) {
  for (const auto& [name, job] : jobs_) {
    if (std::find(job->sources.begin(), job->sources.end(), &source) != job->sources.end()) {
      Changed(*job, Urgency::kByKind);
    }
  }
}

void Discovery::Changed(Job& job, Urgency urgency) {
  const MonotonicTime now = loop_.Now();
  MonotonicTime when = now;
  if (job.was_delivered && urgency == Urgency::kByKind) {
    const std::vector<TargetGroup> groups = Compose(job);
    if (job.Delivered(groups)) {
      job.delivery.Cancel();
      return;
    }
    const std::vector<uint64_t> targets = TargetHashes(groups);
    const bool no_new_ones = std::includes(
        job.delivered_targets.begin(), job.delivered_targets.end(), targets.begin(), targets.end());
    if (no_new_ones) {
      when = now + kRemovalDelay;
    } else if (!job.delivered.empty()) {
      when = std::max(now, job.delivered_at + kUpdateSpacing);
    }
  }
  if (job.delivery.active() && job.delivery.when() <= when) return;
  if (when > now) delayed_updates_++;
  job.delivery.Set(when, [this, &job] { Deliver(job); });
}

void Discovery::Deliver(Job& job) {
  std::vector<TargetGroup> groups = Compose(job);
  if (job.Delivered(groups)) return;
  job.delivered.clear();
  job.delivered.reserve(groups.size());
  for (const TargetGroup& group : groups) job.delivered.push_back(job.packer.Pack(group));
  job.delivered_targets = TargetHashes(groups);
  job.was_delivered = true;
  job.delivered_at = loop_.Now();
  job.delivered_wall_ns = loop_.WallNs();
  sent_updates_++;
  on_update_(job.name, std::move(groups));
}

void Discovery::AppendErrors(std::vector<DiscoveryError>& errors) const {
  for (const auto& [name, job] : jobs_) {
    std::vector<std::string> texts;
    for (const Source* source : job->sources) source->provider->AppendErrors(texts);
    for (std::string& text : texts) errors.push_back({name, std::move(text)});
  }
}

void Discovery::Collect(MetricSink& sink) const {
  const MetricLabels labels = {{"name", "scrape"}};
  for (const auto& [name, job] : jobs_) {
    const MetricLabels job_labels = {{"name", "scrape"}, {"config", name}};
    sink.AddGauge("prometheus_sd_discovered_targets", "Targets that discovery knows now.",
                  job_labels, static_cast<double>(job->delivered_targets.size()));
    if (!job->was_delivered) continue;
    sink.AddGauge("prometheus_sd_last_update_timestamp_seconds",
                  "When the job's targets were last told to the scraper.", job_labels,
                  static_cast<double>(job->delivered_wall_ns) / 1e9);
  }
  const auto failed = std::count_if(sources_.begin(), sources_.end(),
                                    [](const auto& source) { return source->provider->failed(); });
  sink.AddGauge("prometheus_sd_failed_configs",
                "Discovery configurations that could not be started.", labels,
                static_cast<double>(failed));
  sink.AddCounter("prometheus_sd_updates_total", "Updates of a job's targets told to the scraper.",
                  labels, static_cast<double>(sent_updates_));
  sink.AddCounter("prometheus_sd_updates_delayed_total", "Updates that were held back for a while.",
                  labels, static_cast<double>(delayed_updates_));
  counters_.Collect(sink);
  for (const auto& source : sources_) source->provider->Collect(sink);
}

}  // namespace tributary
