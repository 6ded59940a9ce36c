// What came of a scrape, for people and for machines. Never shows a secret.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/agentctl/scrape_once.h"

namespace tributary {

struct ScrapeReportOptions {
  size_t series_max = 0;  // of those sent and of those dropped by each rule; 0: all
  bool metadata = false;
};

std::string ScrapeText(const ScrapeOutcome& outcome, const ScrapeReportOptions& options);
nlohmann::ordered_json ScrapeJson(const ScrapeOutcome& outcome, const ScrapeReportOptions& options);

// Request and response, whether the target is up and why not: the beginning of ScrapeText.
std::string ScrapeHeadText(const ScrapeOutcome& outcome);

}  // namespace tributary
