// What the targets of one job have in common, worked out once from the configuration.
// Immutable; shared as shared_ptr<const>.
#pragma once

#include <memory>
#include <string>

#include "agent/layout/scrape_rules.h"
#include "agent/limits/series_limit.h"
#include "agent/scrape/local_hosts.h"
#include "agent/target/target.h"
#include "common/config/model.h"

namespace tributary {

struct ScrapeJob {
  ScrapeConfig config;
  ScrapeRules rules;
  std::string accept;           // value of the Accept header
  std::string accept_encoding;  // gzip or identity
  // These targets, and those of Unix sockets, are asked for pages as they are; null: as all others.
  std::shared_ptr<const LocalHosts> identity_hosts;
  // On the series of each target, and of all together; null: there is none. They are those of the
  // process: the same for all workers, and after a reload.
  std::shared_ptr<SeriesLimit> target_series_limit, series_limit;
  // Not empty: no target of the job is scraped, each reports up 0 and this error (target_limit).
  std::string forced_error;

  ScrapeJob(const ScrapeConfig& config, milliseconds out_of_order_time_window);
  // Value of the Accept-Encoding header for one of the targets.
  std::string AcceptEncodingOf(const TargetSpec& target) const;
  // Whether lines mean the same under the other job, so that what is known of pages can stay.
  bool ReadsLinesLike(const ScrapeJob& other) const;
};

}  // namespace tributary
