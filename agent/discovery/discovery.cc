#include "agent/discovery/discovery.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tributary {
namespace {

constexpr nanoseconds kUpdateSpacing = seconds(1);
constexpr nanoseconds kRemovalDelay = seconds(2);
constexpr nanoseconds kReadSpacing = seconds(1);
// Below this a refresh_interval would do little but read files.
constexpr milliseconds kRefreshIntervalMin{100};

size_t CountTargets(const std::vector<TargetGroup>& groups) {
  size_t count = 0;
  for (const TargetGroup& group : groups) count += group.targets.size();
  return count;
}

// Sorted hashes of the targets with their groups' labels.
std::vector<uint64_t> TargetHashes(const std::vector<TargetGroup>& groups) {
  std::vector<uint64_t> hashes;
  hashes.reserve(CountTargets(groups));
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

// Whether `after` has a target that `before` has not.
bool HasNewTargets(const std::vector<TargetGroup>& before, const std::vector<TargetGroup>& after) {
  const std::vector<uint64_t> old_hashes = TargetHashes(before);
  const std::vector<uint64_t> new_hashes = TargetHashes(after);
  return !std::includes(old_hashes.begin(), old_hashes.end(), new_hashes.begin(), new_hashes.end());
}

}  // namespace

struct Discovery::FileSource {
  FileSource(FileSystem& files, const FileSdConfig& config, Job& owner)
      : job(owner), provider(files, config) {}
  Job& job;
  FileProvider provider;
};

struct Discovery::Job {
  Job(EventLoop& loop, std::string job_name) : name(std::move(job_name)), delivery(loop) {}
  std::string name;
  std::vector<TargetGroup> static_configs;
  std::vector<std::unique_ptr<FileSource>> file_sources;
  std::vector<TargetGroup> delivered;
  bool was_delivered = false;
  MonotonicTime delivered_at{};
  int64_t delivered_wall_ns = 0;
  Timer delivery;
};

struct Discovery::Directory {
  explicit Directory(EventLoop& loop) : read_at(loop.Now()), read(loop) {}
  std::unique_ptr<FileWatch> watch;
  milliseconds interval{0};
  MonotonicTime read_at;
  Timer read;
};

Discovery::Discovery(EventLoop& loop, FileSystem& files, OnUpdate on_update, Warn warn)
    : loop_(loop), files_(files), on_update_(std::move(on_update)), warn_(std::move(warn)) {}

Discovery::~Discovery() = default;

void Discovery::Apply(const Config& config) {
  std::set<std::string> names;
  std::vector<Job*> changed;
  std::vector<FileSource*> unread;
  for (const ScrapeConfig& scrape : config.scrape_configs) {
    names.insert(scrape.job_name);
    std::unique_ptr<Job>& job = jobs_[scrape.job_name];
    if (job != nullptr && SameSources(*job, scrape)) continue;
    if (job == nullptr) job = std::make_unique<Job>(loop_, scrape.job_name);
    const std::vector<FileSource*> added = SetSources(*job, scrape);
    unread.insert(unread.end(), added.begin(), added.end());
    changed.push_back(job.get());
    received_updates_++;
  }
  std::erase_if(jobs_, [&names](const auto& job) { return !names.contains(job.first); });
  WatchDirectories();  // before the files are read, so that no change falls between
  for (FileSource* source : unread) Refresh(*source);
  for (Job* job : changed) Changed(*job, Urgency::kAtOnce);
}

bool Discovery::SameSources(const Job& job, const ScrapeConfig& config) {
  return job.static_configs == config.static_configs &&
         std::equal(job.file_sources.begin(), job.file_sources.end(),
                    config.file_sd_configs.begin(), config.file_sd_configs.end(),
                    [](const auto& source, const FileSdConfig& file) {
                      return source->provider.config() == file;
                    });
}

std::vector<Discovery::FileSource*> Discovery::SetSources(Job& job, const ScrapeConfig& config) {
  job.static_configs = config.static_configs;
  std::vector<std::unique_ptr<FileSource>> old = std::move(job.file_sources);
  job.file_sources.clear();
  std::vector<FileSource*> added;
  for (const FileSdConfig& file : config.file_sd_configs) {
    const auto same = std::find_if(old.begin(), old.end(), [&file](const auto& source) {
      return source != nullptr && source->provider.config() == file;
    });
    if (same != old.end()) {
      job.file_sources.push_back(std::move(*same));
    } else {
      job.file_sources.push_back(std::make_unique<FileSource>(files_, file, job));
      added.push_back(job.file_sources.back().get());
    }
  }
  for (FileSource* source : added) {
    for (const auto& gone : old) {
      if (gone != nullptr) source->provider.Adopt(gone->provider);
    }
  }
  return added;
}

std::vector<TargetGroup> Discovery::Compose(const Job& job) {
  std::vector<TargetGroup> groups;
  for (size_t i = 0; i < job.static_configs.size(); i++) {
    if (job.static_configs[i].targets.empty()) continue;
    groups.push_back(job.static_configs[i]);
    groups.back().source = std::to_string(i);
  }
  for (const auto& source : job.file_sources) source->provider.AppendGroups(groups);
  return groups;
}

std::vector<TargetGroup> Discovery::Groups(const std::string& job) const {
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? std::vector<TargetGroup>() : found->second->delivered;
}

void Discovery::WatchDirectories() {
  std::map<std::string, milliseconds> wanted;  // to the shortest refresh_interval
  for (const auto& [name, job] : jobs_) {
    for (const auto& source : job->file_sources) {
      const milliseconds interval =
          std::max(source->provider.config().refresh_interval, kRefreshIntervalMin);
      for (const std::string& path : source->provider.Directories()) {
        const auto place = wanted.emplace(path, interval).first;
        place->second = std::min(place->second, interval);
      }
    }
  }
  std::erase_if(directories_, [&wanted](const auto& item) { return !wanted.contains(item.first); });
  for (const auto& [path, interval] : wanted) {
    std::unique_ptr<Directory>& directory = directories_[path];
    if (directory == nullptr) {
      directory = std::make_unique<Directory>(loop_);
      Watch(path, *directory);
    }
    directory->interval = interval;
    ReadAt(path, *directory, directory->read_at + interval);
  }
}

void Discovery::Watch(const std::string& path, Directory& directory) {
  directory.watch.reset();
  directory.watch = files_.Watch(loop_, {path}, [this, path, &directory] {
    ReadAt(path, directory, std::max(loop_.Now(), directory.read_at + kReadSpacing));
  });
  if (directory.watch == nullptr) file_watcher_errors_++;
}

void Discovery::ReadAt(const std::string& path, Directory& directory, MonotonicTime when) {
  if (directory.read.active() && directory.read.when() <= when) return;
  directory.read.Set(when, [this, path, &directory] { ReadDirectory(path, directory); });
}

void Discovery::ReadDirectory(const std::string& path, Directory& directory) {
  directory.read_at = loop_.Now();
  // Watched anew: the folder may not have been there, or be another one by now. Before it is read,
  // so that no change falls between.
  Watch(path, directory);
  for (const auto& [name, job] : jobs_) {
    for (const auto& source : job->file_sources) {
      const std::vector<std::string> directories = source->provider.Directories();
      if (std::binary_search(directories.begin(), directories.end(), path)) Refresh(*source);
    }
  }
  ReadAt(path, directory, directory.read_at + directory.interval);
}

void Discovery::Refresh(FileSource& source) {
  const FileProvider::RefreshResult result = source.provider.Refresh(warn_);
  received_updates_ += result.updates;
  file_read_errors_ += result.errors;
  if (result.changed) Changed(source.job, Urgency::kByKind);
}

void Discovery::Changed(Job& job, Urgency urgency) {
  const MonotonicTime now = loop_.Now();
  MonotonicTime when = now;
  if (job.was_delivered && urgency == Urgency::kByKind) {
    const std::vector<TargetGroup> groups = Compose(job);
    if (groups == job.delivered) {
      job.delivery.Cancel();
      return;
    }
    when = HasNewTargets(job.delivered, groups) ? std::max(now, job.delivered_at + kUpdateSpacing)
                                                : now + kRemovalDelay;
  }
  if (job.delivery.active() && job.delivery.when() <= when) return;
  if (when > now) delayed_updates_++;
  job.delivery.Set(when, [this, &job] { Deliver(job); });
}

void Discovery::Deliver(Job& job) {
  std::vector<TargetGroup> groups = Compose(job);
  if (job.was_delivered && groups == job.delivered) return;
  job.delivered = groups;
  job.was_delivered = true;
  job.delivered_at = loop_.Now();
  job.delivered_wall_ns = loop_.WallNs();
  sent_updates_++;
  on_update_(job.name, std::move(groups));
}

void Discovery::Collect(MetricSink& sink) const {
  const MetricLabels labels = {{"name", "scrape"}};
  for (const auto& [name, job] : jobs_) {
    const MetricLabels job_labels = {{"name", "scrape"}, {"config", name}};
    sink.AddGauge("prometheus_sd_discovered_targets", "Targets that discovery knows now.",
                  job_labels, static_cast<double>(CountTargets(job->delivered)));
    if (!job->was_delivered) continue;
    sink.AddGauge("prometheus_sd_last_update_timestamp_seconds",
                  "When the job's targets were last told to the scraper.", job_labels,
                  static_cast<double>(job->delivered_wall_ns) / 1e9);
  }
  const auto add = [&sink](std::string_view name, std::string_view help, const MetricLabels& with,
                           uint64_t value) {
    sink.AddCounter(name, help, with, static_cast<double>(value));
  };
  sink.AddGauge("prometheus_sd_failed_configs",
                "Discovery configurations that could not be started.", labels, 0);
  add("prometheus_sd_received_updates_total", "Target groups received from providers.", labels,
      received_updates_);
  add("prometheus_sd_updates_total", "Updates of a job's targets told to the scraper.", labels,
      sent_updates_);
  add("prometheus_sd_updates_delayed_total", "Updates that were held back for a while.", labels,
      delayed_updates_);
  add("prometheus_sd_file_read_errors_total", "Failures to read a file of targets.", {},
      file_read_errors_);
  add("prometheus_sd_file_watcher_errors_total",
      "Folders of target files that could not be watched.", {}, file_watcher_errors_);
}

}  // namespace tributary
