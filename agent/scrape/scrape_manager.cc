#include "agent/scrape/scrape_manager.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "agent/log/log_format.h"
#include "common/base/units.h"

namespace tributary {

namespace {

// `labels`: their hash, which has decided whose target it is: the partition is that of it.
uint64_t LayoutKey(const std::string& job_name, uint64_t key, uint64_t labels) {
  const uint64_t mixed = StableHash(job_name) * 0x9e3779b97f4a7c15 ^ key;
  return mixed - mixed % kLogPartitions + labels % kLogPartitions;
}

}  // namespace

void ScrapeManager::Apply(std::shared_ptr<const ScrapeJob> job,
                          const std::vector<std::shared_ptr<const TargetSpec>>& targets) {
  const std::string name = job->config.job_name;
  Pool& pool = pools_[name];
  const bool same_job = pool.job != nullptr && pool.job->config == job->config &&
                        pool.job->forced_error == job->forced_error &&
                        pool.job->identity_hosts == job->identity_hosts &&
                        pool.job->rules.out_of_order_window_ms == job->rules.out_of_order_window_ms;
  if (pool.client == nullptr || pool.job == nullptr || pool.job->config.http != job->config.http) {
    pool.client =
        std::make_shared<HttpClient>(env_.loop, env_.transport, env_.files, job->config.http);
  }
  if (!same_job) pool.job = std::move(job);

  std::map<uint64_t, const std::shared_ptr<const TargetSpec>*> wanted;
  for (const auto& target : targets) wanted.emplace(target->key, &target);
  std::vector<uint64_t> gone;
  for (const auto& [key, scraper] : pool.active) {
    if (!wanted.contains(key)) gone.push_back(key);
  }
  for (uint64_t key : gone) Retire(name, pool, key);

  // Targets whose labels agree have the same series. One that takes the place of another, at
  // another URL, goes on with what that had, as one does that comes back. Two at a time have no
  // order to keep.
  std::unordered_set<uint64_t> taken;                  // labels of active targets
  std::unordered_map<uint64_t, uint64_t> left_behind;  // labels of others -> their keys
  for (const auto& [key, scraper] : pool.active) taken.insert(scraper->target().labels.Hash());
  for (const auto& [key, scraper] : pool.retiring) {
    if (!scraper->ended() && !wanted.contains(key)) {
      left_behind[scraper->target().labels.Hash()] = key;
    }
  }

  for (const auto& [key, target] : wanted) {
    if (auto it = pool.active.find(key); it != pool.active.end()) {
      if (!same_job || it->second->target() != **target) {
        it->second->Update(*target, pool.job, pool.client);
      }
      continue;
    }
    const uint64_t labels = (*target)->labels.Hash();
    const bool alone = taken.insert(labels).second;
    auto returned = pool.retiring.extract(key);
    if (returned.empty() && alone && left_behind.contains(labels)) {
      returned = pool.retiring.extract(left_behind.at(labels));
    }
    if (!returned.empty()) {
      returned.key() = key;
      TargetScraper& scraper = *returned.mapped();
      pool.active.insert(std::move(returned));
      scraper.Update(*target, pool.job, pool.client);
      scraper.Resume();
      continue;
    }
    // By its labels: what an earlier one of the same series had may still be on its way.
    auto scraper = std::make_unique<TargetScraper>(
        env_, LayoutKey(name, alone ? labels : key, labels), *target, pool.job, pool.client);
    scraper->Start();
    pool.active.emplace(key, std::move(scraper));
  }
}

void ScrapeManager::Remove(const std::string& job_name) {
  auto it = pools_.find(job_name);
  if (it == pools_.end()) return;
  std::vector<uint64_t> keys;
  for (const auto& [key, scraper] : it->second.active) keys.push_back(key);
  it->second.job.reset();
  env_.stats.relabel_dropped.erase(job_name);
  for (uint64_t key : keys) Retire(job_name, it->second, key);
  if (it->second.retiring.empty()) pools_.erase(it);
}

void ScrapeManager::Retire(const std::string& job_name, Pool& pool, uint64_t key) {
  auto node = pool.active.extract(key);
  TargetScraper& scraper = *node.mapped();
  pool.retiring.insert(std::move(node));
  scraper.Retire(
      [this](const TargetScraper& gone, std::string_view packed) { return LivesOn(gone, packed); },
      [this, job_name, key, retired = &scraper] {
        auto it = pools_.find(job_name);
        if (it == pools_.end()) return;
        auto found = it->second.retiring.find(key);
        // It may have come back, and even have been retired anew, since this was posted.
        if (found == it->second.retiring.end() || found->second.get() != retired) return;
        if (!retired->ended()) return;
        it->second.retiring.erase(found);
        if (it->second.job == nullptr && it->second.retiring.empty()) pools_.erase(it);
      });
}

bool ScrapeManager::LivesOn(const TargetScraper& gone, std::string_view packed) const {
  // One that is to end too marks its series itself, later.
  for (const auto& [name, pool] : pools_) {
    for (const Scrapers* scrapers : {&pool.active, &pool.retiring}) {
      for (const auto& [key, scraper] : *scrapers) {
        if (scraper.get() == &gone || scraper->ended()) continue;
        if (scraper->target().labels == gone.target().labels && scraper->layout().Has(packed)) {
          return true;
        }
      }
    }
  }
  return false;
}

void ScrapeManager::Stop() { pools_.clear(); }

void ScrapeManager::FillStatus(std::vector<TargetStatus>& targets) const {
  for (const auto& [name, pool] : pools_) {
    for (const auto& [key, scraper] : pool.active) targets.push_back(scraper->status());
  }
}

void ScrapeManager::Collect(MetricSink& sink) const {
  size_t series = 0, layout_bytes = 0;
  for (const auto& [name, pool] : pools_) {
    if (pool.job == nullptr) continue;
    const MetricLabels job = {{"scrape_job", name}};
    sink.AddGauge("prometheus_target_scrape_pool_targets", "Targets of the scrape pool.", job,
                  static_cast<double>(pool.active.size()));
    sink.AddGreatest("prometheus_target_scrape_pool_target_limit",
                     "The most targets that the scrape pool may have; 0 is no limit.", job,
                     static_cast<double>(pool.job->config.target_limit));
    auto dropped = env_.stats.relabel_dropped.find(name);
    sink.AddCounter(
        "tributary_relabel_dropped_total", kRelabelDroppedHelp,
        {{"stage", "metric"}, {"job", name}},
        dropped == env_.stats.relabel_dropped.end() ? 0 : static_cast<double>(dropped->second));
    for (const Scrapers* scrapers : {&pool.active, &pool.retiring}) {
      for (const auto& [key, scraper] : *scrapers) {
        series += scraper->layout().series();
        layout_bytes += scraper->layout().memory_bytes();
      }
    }
  }
  const ScrapeStats& stats = env_.stats;
  auto counter = [&](const char* metric, const char* help, uint64_t value) {
    sink.AddCounter(metric, help, {}, static_cast<double>(value));
  };
  counter("prometheus_target_scrapes_exceeded_body_size_limit_total",
          "Scrapes refused because the body was too large.", stats.over_body_limit);
  counter("prometheus_target_scrapes_exceeded_sample_limit_total",
          "Scrapes refused because of the sample limit.", stats.over_sample_limit);
  counter("prometheus_target_scrape_pool_exceeded_label_limits_total",
          "Scrapes refused because of a label limit.", stats.over_label_limit);
  counter("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
          "Scrapes refused because a native histogram has too many buckets.",
          stats.over_bucket_limit);
  counter("prometheus_target_scrapes_sample_duplicate_timestamp_total",
          "Samples refused because the page has the series twice.", stats.duplicates);
  counter("prometheus_target_scrapes_sample_out_of_order_total",
          "Samples refused because the series has later ones.", stats.out_of_order);
  counter("prometheus_target_scrapes_sample_out_of_bounds_total",
          "Samples refused because their time is too far in the future.", stats.out_of_bounds);
  counter("tributary_scrape_exemplars_invalid_total",
          "Exemplars dropped because their labels are too long or have a name twice.",
          stats.exemplars_invalid);
  counter("tributary_scrapes_total", "Scrapes begun.", stats.scrapes);
  counter("tributary_scrapes_failed_total", "Scrapes that reported up 0.", stats.scrapes_failed);
  counter("tributary_scrapes_skipped_clock_total",
          "Scrapes not made because the clock was not later than at the target's last one.",
          stats.skipped_clock);
  counter("tributary_scrapes_skipped_ticks_total",
          "Scrapes not made because the agent was late or the one before was still under way.",
          stats.skipped_ticks);
  for (const auto& [what, value] :
       {std::pair("new_target", stats.shed_targets), std::pair("page", stats.shed_pages),
        std::pair("scrape", stats.shed_scrapes)}) {
    sink.AddCounter("tributary_memory_shed_total",
                    "Shed because memory is short: scrapes of new targets, pages with many new "
                    "series, and scrapes left out.",
                    {{"what", what}}, static_cast<double>(value));
  }
  counter("tributary_scrape_body_bytes_total", "Bytes of pages, after decompression.",
          stats.body_bytes);
  for (const auto& [interval, histogram] : stats.interval_lengths) {
    sink.AddHistogram("prometheus_target_interval_length_histogram_seconds",
                      "Time between the scrapes of a target.", {{"interval", interval}}, histogram);
  }
  sink.AddGauge("prometheus_agent_active_series", "Series of the targets' last pages.", {},
                static_cast<double>(series));
  auto appended = [&](const char* type, uint64_t value) {
    sink.AddCounter("prometheus_agent_samples_appended_total", "Samples put into the sample log.",
                    {{"type", type}}, static_cast<double>(value));
  };
  appended("float", stats.appended.samples);
  appended("histogram", stats.appended.histograms);
  counter("prometheus_agent_exemplars_appended_total", "Exemplars put into the sample log.",
          stats.appended.exemplars);
  sink.AddGauge("tributary_memory_bytes", "Memory in use, by part.", {{"part", "layouts"}},
                static_cast<double>(layout_bytes));
}

}  // namespace tributary
