// One scrape of one target, as the agent does it, and what came of it.
//
// The agent's own parts do the work: ScrapeManager with its scraper, reader and layout, over the
// transport given, into a SampleLog from which the commit is read. Nothing is sent anywhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/scrape/scrape_environment.h"
#include "agent/series/metadata_pool.h"
#include "agent/target/target.h"
#include "common/config/model.h"
#include "common/file/file_system.h"
#include "tools/agentctl/recording_transport.h"
#include "tools/agentctl/scrape_series.h"

namespace tributary {

struct DroppedSeries {
  Labels labels;               // before metric_relabel_configs, the target's included
  std::optional<size_t> rule;  // its index; nothing: no label was left
};

struct ScrapeOutcome {
  ScrapeConfig job;
  TargetSpec target;
  WireRecord wire;
  bool up = false;
  std::string error;                 // why not
  std::vector<SeriesSample> series;  // empty unless up
  std::vector<SeriesSample> report;
  std::vector<DroppedSeries> dropped;  // as far as the page was read
  std::vector<FamilyRef> families;
  ScrapeStats stats;  // of this scrape: body_bytes are inflated

  // Of a report series; 0 if there is none.
  double Report(std::string_view name) const;
};

struct ScrapeRequest {
  ScrapeConfig job;
  std::shared_ptr<const TargetSpec> target;
  milliseconds out_of_order_time_window{0};
  bool keeps_body = false;
};

// Over real sockets; returns when the scrape has ended, after the target's timeout at the latest.
ScrapeOutcome ScrapeOnce(FileSystem& files, const ScrapeRequest& request);

// The target that a URL stands for under `job`: what a person types, "127.0.0.1:9100" too.
Result<std::shared_ptr<const TargetSpec>> TargetOfUrl(const ScrapeConfig& job,
                                                      const std::string& url);

// The body of the response, inflated if it is compressed; as far as it can be.
std::string PageText(const WireRecord& wire);

}  // namespace tributary
