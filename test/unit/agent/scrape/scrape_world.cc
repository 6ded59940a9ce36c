#include "test/unit/agent/scrape/scrape_world.h"

#include "test/support/catch.h"

namespace tributary {

ScrapeWorld::ScrapeWorld(SampleLogOptions log_options)
    : log(loop, log_options),
      environment{.loop = loop,
                  .transport = transport,
                  .files = files,
                  .log = log,
                  .metadata = metadata,
                  .logger = logger,
                  .hash = hash,
                  .scratch = {},
                  .stats = {}},
      manager(environment),
      reader_(log.AddReader("r", [this] { ReadLog(); })) {}

ScrapeConfig ScrapeWorld::JobConfig(const std::string& name) {
  ScrapeConfig config;
  config.job_name = name;
  config.scrape_interval = seconds(10);
  config.scrape_timeout = seconds(5);
  config.scrape_protocols = {"PrometheusText0.0.4"};
  config.fallback_scrape_protocol = "PrometheusText0.0.4";
  return config;
}

std::shared_ptr<const ScrapeJob> ScrapeWorld::Job(const ScrapeConfig& config) {
  return std::make_shared<const ScrapeJob>(config, milliseconds(0));
}

std::vector<std::shared_ptr<const TargetSpec>> ScrapeWorld::Targets(
    const ScrapeConfig& config, const std::vector<std::string>& addresses) {
  TargetGroup group;
  group.targets = addresses;
  group.source = "0";
  const RelabelRules rules(config.relabel_configs, config.metric_name_validation_scheme);
  BuiltTargets built = BuildTargets(config, {group}, rules);
  REQUIRE(built.errors.empty());
  return built.active;
}

SimServer& ScrapeWorld::Serve(const std::string& address, const std::string& page) {
  return network.Listen(address,
                        [page](const ServedRequest&) { return ScriptedReply::Text(200, page); });
}

void ScrapeWorld::ReadLog() {
  log.Read(reader_, 1'000'000, [this](SampleLog::Batch batch) {
    for (const LogRecord& record : batch.records) {
      const GroupSamples& samples = *record.samples;
      const std::vector<Labels> labels = samples.group->Decode();
      size_t value = 0;
      for (uint32_t i = 0; i < labels.size(); i++) {
        if (samples.Has(i)) {
          logged[labels[i]].push_back({samples.timestamp, samples.values[value++]});
        }
      }
      for (const OwnSample& own : samples.own) {
        logged[labels[own.index]].push_back({own.timestamp, own.value});
      }
      log.Done(reader_, record.ticket);
    }
  });
}

const std::vector<ScrapeWorld::Sample>& ScrapeWorld::Of(const Labels& labels) {
  return logged[labels];
}

size_t ScrapeWorld::StaleMarkers() const {
  size_t markers = 0;
  for (const auto& [labels, samples] : logged) {
    for (const Sample& sample : samples) markers += IsStaleNan(sample.value);
  }
  return markers;
}

std::map<std::string, TargetStatus> ScrapeWorld::Status() const {
  std::vector<TargetStatus> all;
  manager.FillStatus(all);
  std::map<std::string, TargetStatus> by_instance;
  for (TargetStatus& status : all) {
    by_instance[std::string(status.labels.Get("instance"))] = std::move(status);
  }
  return by_instance;
}

bool EndsStale(const std::vector<ScrapeWorld::Sample>& samples) {
  return !samples.empty() && IsStaleNan(samples.back().value);
}

}  // namespace tributary
