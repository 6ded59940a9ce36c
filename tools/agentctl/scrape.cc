// agentctl scrape: scrapes a target once, as the agent would, and shows what would be sent.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/file/posix_file_system.h"
#include "tools/agentctl/choice.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/relabel_report.h"
#include "tools/agentctl/scrape_report.h"

namespace tributary {
namespace {

struct ScrapeOptions {
  std::string url, config, job, target;
  bool raw = false, json = false;
  ScrapeReportOptions report;
};

// Series are shown with the job that they would have; without a configuration it is this one.
constexpr char kJobOfUrl[] = "agentctl";

constexpr size_t kTargetsShown = 10;

std::string Contradiction(const ScrapeOptions& options) {
  if (options.url.empty()) {
    if (options.config.empty() || options.job.empty()) {
      return "what target? Give a URL, or --config FILE and --job NAME";
    }
  } else if (!options.config.empty() || !options.job.empty() || !options.target.empty()) {
    return "give a URL, or --config, --job and --target, not both";
  }
  if (options.raw && options.json) return "give one of --raw and --json";
  return "";
}

// The one target of the job that is asked for; null, and it has been said why, if there is none.
std::shared_ptr<const TargetSpec> ChooseTarget(FileSystem& files, const Config& config,
                                               const ScrapeConfig& job, const std::string& text) {
  std::vector<DiscoveredTarget> targets = DiscoverTargets(files, config, job);
  if (CountSelected(targets, job.job_name, text) == 0) return nullptr;
  std::erase_if(targets, [&](const DiscoveredTarget& one) { return !IsSelected(one, text); });
  const RelabelRules rules(job.relabel_configs, job.metric_name_validation_scheme);
  std::vector<std::shared_ptr<const TargetSpec>> specs;
  std::string why_not, addresses;
  for (const DiscoveredTarget& one : targets) {
    const std::string address(one.labels.Get("__address__"));
    Labels labels = one.labels;
    Result<std::shared_ptr<TargetSpec>> spec =
        rules.Apply(labels) ? MakeTarget(job, labels) : Fail("relabel_configs drop it");
    if (!spec) {
      why_not = fmt::format("the target {} is not scraped: {}", address, spec.error().message);
      continue;
    }
    const bool again = std::any_of(specs.begin(), specs.end(),
                                   [&](const auto& other) { return other->key == (*spec)->key; });
    if (again) continue;
    specs.push_back(std::move(*spec));
    if (specs.size() <= kTargetsShown) addresses += (addresses.empty() ? "" : ", ") + address;
  }
  if (specs.size() == 1) return specs.front();
  if (specs.empty()) {
    Refuse(targets.size() == 1
               ? why_not
               : fmt::format("none of the {} targets is scraped: 'agentctl relabel' "
                             "says why",
                             targets.size()));
    return nullptr;
  }
  if (specs.size() > kTargetsShown) addresses += ", ...";
  Refuse(fmt::format("the job '{}' has {} such targets; choose one with --target: {}", job.job_name,
                     specs.size(), addresses));
  return nullptr;
}

// False, with `status` set, if there is nothing to be scraped.
bool ReadRequest(FileSystem& files, const ScrapeOptions& options, ScrapeRequest& request,
                 int& status) {
  if (!options.url.empty()) {
    request.job = DefaultScrapeConfig(kJobOfUrl);
    Result<std::shared_ptr<const TargetSpec>> target = TargetOfUrl(request.job, options.url);
    if (!target) {
      status = Refuse("this is no URL to scrape: " + target.error().message);
      return false;
    }
    request.target = std::move(*target);
    return true;
  }
  const std::shared_ptr<const Config> config = ReadConfig(files, options.config, status);
  if (config == nullptr) return false;
  status = kExitUsage;
  const ScrapeConfig* job = ChooseJob(*config, options.job);
  if (job == nullptr) return false;
  request.job = *job;
  request.out_of_order_time_window = config->out_of_order_time_window;
  request.target = ChooseTarget(files, *config, *job, options.target);
  return request.target != nullptr;
}

int Scrape(const ScrapeOptions& options) {
  const std::string contradiction = Contradiction(options);
  if (!contradiction.empty()) return Refuse(contradiction);
  PosixFileSystem files;
  ScrapeRequest request;
  request.keeps_body = options.raw;
  int status = kExitGood;
  if (!ReadRequest(files, options, request, status)) return status;
  const ScrapeOutcome outcome = ScrapeOnce(files, request);
  std::string out;
  if (options.raw) {
    // The page alone goes to stdout; the rest beside it.
    std::fputs(ScrapeHeadText(outcome).c_str(), stderr);
    out = PageText(outcome.wire);
  } else if (options.json) {
    out = JsonText(ScrapeJson(outcome, options.report)) + "\n";
  } else {
    out = ScrapeText(outcome, options.report);
  }
  const bool written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
  if (!written || std::fflush(stdout) != 0) return kExitUsage;
  return outcome.up ? kExitGood : kExitBad;
}

}  // namespace

void AddScrape(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "scrape",
      "Scrape a target once, as the agent would, and show what would be sent. Exit status: 0 the "
      "target is up, 1 it is not or the configuration is invalid, 2 wrong usage or something "
      "cannot be read.");
  auto options = std::make_shared<ScrapeOptions>();
  command->add_option(
      "URL", options->url,
      "What to scrape, with the defaults of a job: 127.0.0.1:9100, or a whole URL.");
  command->add_option("--config", options->config, "The agent's configuration file.");
  AddExpandEnv(*command);
  command->add_option("--job", options->job, "Scrape a target of this job.");
  command->add_option("--target", options->target,
                      "The target with this in its address, if the job has several.");
  command->add_flag("--raw", options->raw,
                    "Print the page as it came, inflated, and nothing else.");
  command->add_option("--limit", options->report.series_max,
                      "Show so many series, and so many that a rule dropped (default: all).");
  command->add_flag("--metadata", options->report.metadata,
                    "Show type, help and unit of the families too.");
  command->add_flag("--json", options->json, "Report as JSON.");
  command->callback([options, &status] { status = Scrape(*options); });
}

}  // namespace tributary
