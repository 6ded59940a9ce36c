// Targets in the simulated network, a ScrapeManager, and all that it puts into its log.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/scrape/scrape_manager.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

struct ScrapeWorld {
  struct Sample {
    TimestampMs timestamp;
    double value;
  };

  explicit ScrapeWorld(SampleLogOptions log_options = {});

  // A job of the name, with an interval of 10 s and a timeout of 5 s.
  static ScrapeConfig JobConfig(const std::string& name);
  static std::shared_ptr<const ScrapeJob> Job(const ScrapeConfig& config);
  // The targets of static_configs at these addresses, as the control thread builds them.
  static std::vector<std::shared_ptr<const TargetSpec>> Targets(
      const ScrapeConfig& config, const std::vector<std::string>& addresses);
  void Apply(const ScrapeConfig& config, const std::vector<std::string>& addresses) {
    manager.Apply(Job(config), Targets(config, addresses));
  }

  // Serves a page at "a.test:80" from now on; the server, to give it faults.
  SimServer& Serve(const std::string& address, const std::string& page);
  void Run(nanoseconds time) { loop.RunFor(time); }
  // What has been logged for the series, in that order.
  const std::vector<Sample>& Of(const Labels& labels);
  // Of the series `name` of the job "j" and the instance.
  const std::vector<Sample>& Of(const std::string& name, const std::string& instance) {
    return Of(Labels{{"__name__", name}, {"instance", instance}, {"job", "j"}});
  }
  // How many of all the samples logged mark the end of a series.
  size_t StaleMarkers() const;
  // Statuses by instance.
  std::map<std::string, TargetStatus> Status() const;

  SimLoop loop;
  SimNetwork network{1};
  SimTransport transport{network, loop, "agent"};
  SimFileSystem files;
  Logger logger = Logger::Silent();
  MetadataPool metadata;
  SampleLog log;
  const HashKey hash = HashKey::Random();
  ScrapeEnvironment environment;
  ScrapeManager manager;
  std::map<Labels, std::vector<Sample>> logged;

 private:
  void ReadLog();
  SampleLog::ReaderId reader_;
};

bool EndsStale(const std::vector<ScrapeWorld::Sample>& samples);

}  // namespace tributary
