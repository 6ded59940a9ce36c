// The targets of one worker, by job. Starts, changes and retires their scrapers.
// One thread (the worker's loop).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/scrape/target_scraper.h"

namespace tributary {

class ScrapeManager {
 public:
  explicit ScrapeManager(ScrapeEnvironment& environment) : env_(environment) {}
  ScrapeManager(const ScrapeManager&) = delete;
  ScrapeManager& operator=(const ScrapeManager&) = delete;

  // The job has these targets from now on. Targets that are as they were are not touched; those
  // that are gone are retired, which marks their series as ended unless a target with the same
  // labels comes.
  void Apply(std::shared_ptr<const ScrapeJob> job,
             const std::vector<std::shared_ptr<const TargetSpec>>& targets);
  // The job is gone, and with it its targets.
  void Remove(const std::string& job_name);
  // The process is about to end: scrapes no more, and marks nothing.
  void Stop();

  void FillStatus(std::vector<TargetStatus>& targets) const;
  void Collect(MetricSink& sink) const;

 private:
  using Scrapers = std::map<uint64_t, std::unique_ptr<TargetScraper>>;  // by target key
  struct Pool {
    std::shared_ptr<const ScrapeJob> job;
    // For all targets of the job; scrapes under way hold on to the one that they began with.
    std::shared_ptr<HttpClient> client;
    Scrapers active;
    Scrapers retiring;
  };

  void Retire(const std::string& job_name, Pool& pool, uint64_t key);
  // Whether a target other than `gone` with the same labels has the series.
  bool LivesOn(const TargetScraper& gone, std::string_view packed) const;

  ScrapeEnvironment& env_;
  std::map<std::string, Pool> pools_;
};

}  // namespace tributary
