// agentctl relabel: explains a chain of rules step by step, on labels that are given or discovered.
// agentctl sd: the same of a job's targets, without the steps.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/file/posix_file_system.h"
#include "tools/agentctl/choice.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/relabel_report.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

struct RelabelOptions {
  std::string config, job, remote, rules, target;
  bool metric = false, json = false;
  bool steps = true;  // not only what came out
  std::vector<std::string> labels;
  std::string input;  // "-" or nothing
};

// What options do not go together, or nothing.
std::string Contradiction(const RelabelOptions& options) {
  const bool has_job = !options.job.empty(), has_remote = !options.remote.empty();
  if (options.config.empty()) {
    if (options.rules.empty()) {
      return "what rules? Give --config FILE and --job NAME or --remote NAME, or --rules FILE";
    }
    for (const auto& [given, name] :
         {std::pair(has_job, "--job"), std::pair(has_remote, "--remote"),
          std::pair(options.metric, "--metric"), std::pair(!options.target.empty(), "--target")}) {
      if (given) return std::string(name) + " needs --config FILE";
    }
    return "";
  }
  if (has_job == has_remote) return "give one of --job NAME and --remote NAME";
  if (has_remote && options.metric) return "--metric is for a job, not for --remote";
  if (has_remote && !options.target.empty()) return "--target is for a job, not for --remote";
  return "";
}

class RelabelCommand {
 public:
  explicit RelabelCommand(const RelabelOptions& options) : options_(options) {}
  int Run();

 private:
  // These fill in the chain; false, with status_ set, if there is none.
  bool ReadChain();
  bool ReadJob();
  bool ReadRemote();
  bool ReadRules(NameValidation validation);
  // Of the one target that is selected, as relabeling leaves it.
  bool ReadTargetLabels();

  void ExplainDiscovered();
  void ExplainInput(Result<LabelInput> input);

  void Begin();
  void Print(const Explanation& explanation);
  void End();

  const RelabelOptions& options_;
  PosixFileSystem files_;
  std::shared_ptr<const Config> config_;
  Chain chain_;
  RelabelSummary summary_;
  size_t printed_ = 0;
  int status_ = kExitGood;
};

bool RelabelCommand::ReadRules(NameValidation validation) {
  if (!options_.rules.empty()) {
    RulesResult result = LoadRelabelRules(files_, options_.rules, validation);
    PrintDiagnostics(result.diagnostics);
    if (!result.rules) {
      status_ = result.unreadable ? kExitUsage : kExitBad;
      return false;
    }
    chain_.configs = std::move(*result.rules);
    chain_.title = options_.rules + (chain_.title.empty() ? "" : " in place of " + chain_.title);
  }
  chain_.rules = RelabelRules(chain_.configs, validation);
  return true;
}

bool RelabelCommand::ReadJob() {
  const ScrapeConfig* job = ChooseJob(*config_, options_.job);
  if (job == nullptr) {
    status_ = kExitUsage;
    return false;
  }
  chain_.kind = options_.metric ? Chain::Kind::kMetric : Chain::Kind::kTarget;
  chain_.job = *job;
  chain_.scrape_rules = ScrapeRules(*job, config_->out_of_order_time_window);
  chain_.configs = options_.metric ? job->metric_relabel_configs : job->relabel_configs;
  chain_.title = fmt::format("{}relabel_configs of the job '{}'", options_.metric ? "metric_" : "",
                             job->job_name);
  return ReadRules(job->metric_name_validation_scheme) &&
         (!options_.metric || options_.target.empty() || ReadTargetLabels());
}

bool RelabelCommand::ReadRemote() {
  const RemoteWriteConfig* remote = ChooseRemote(*config_, options_.remote);
  if (remote == nullptr) {
    status_ = kExitUsage;
    return false;
  }
  chain_.kind = Chain::Kind::kRemote;
  chain_.external_labels = config_->global.external_labels;
  chain_.configs = remote->write_relabel_configs;
  chain_.title = fmt::format("write_relabel_configs of the remote '{}'", remote->name);
  return ReadRules(config_->global.metric_name_validation_scheme);
}

bool RelabelCommand::ReadTargetLabels() {
  status_ = kExitUsage;
  const std::vector<DiscoveredTarget> targets = DiscoverTargets(files_, *config_, chain_.job);
  const size_t selected = CountSelected(targets, chain_.job.job_name, options_.target);
  if (selected == 0) return false;
  if (selected > 1) {
    Refuse(fmt::format("{} targets of the job '{}' have '{}' in their address; say more of it",
                       selected, chain_.job.job_name, options_.target));
    return false;
  }
  const auto target = std::find_if(targets.begin(), targets.end(), [&](const auto& one) {
    return IsSelected(one, options_.target);
  });
  Labels labels = target->labels;
  const RelabelRules rules(chain_.job.relabel_configs, chain_.job.metric_name_validation_scheme);
  Result<std::shared_ptr<TargetSpec>> spec =
      rules.Apply(labels) ? MakeTarget(chain_.job, labels) : Fail("relabel_configs drop it");
  if (!spec) {
    Refuse(fmt::format("the target {} is not scraped: {}", target->labels.Get("__address__"),
                       spec.error().message));
    return false;
  }
  chain_.target_labels = (*spec)->labels;
  status_ = kExitGood;
  return true;
}

bool RelabelCommand::ReadChain() {
  if (options_.config.empty()) return ReadRules(NameValidation::kUtf8);
  config_ = ReadConfig(files_, options_.config, status_);
  if (config_ == nullptr) return false;
  return options_.remote.empty() ? ReadJob() : ReadRemote();
}

void RelabelCommand::Begin() {
  if (options_.json) {
    Json rules = Json::array();
    for (const RelabelConfig& rule : chain_.configs) {
      rules.push_back(RuleJson(rule, rules.size() + 1));
    }
    std::printf("{\"chain\": %s,\n\"rules\": %s,\n\"results\": [", JsonText(chain_.title).c_str(),
                JsonText(rules).c_str());
    return;
  }
  const size_t rules = chain_.configs.size();
  std::printf("%s: %zu %s\n", chain_.title.c_str(), rules, rules == 1 ? "rule" : "rules");
}

void RelabelCommand::Print(const Explanation& explanation) {
  if (options_.json) {
    std::printf("%s\n%s", printed_ == 0 ? "" : ",",
                JsonText(ExplanationJson(chain_, explanation, options_.steps)).c_str());
  } else {
    std::printf("\n%s", ExplanationText(chain_, explanation, options_.steps).c_str());
  }
  printed_++;
}

void RelabelCommand::End() {
  const uint64_t limit = chain_.kind == Chain::Kind::kTarget ? chain_.job.target_limit : 0;
  if (options_.json) {
    std::printf("\n],\n\"summary\": %s}\n", JsonText(SummaryJson(summary_, limit)).c_str());
  } else if (chain_.kind == Chain::Kind::kTarget && summary_.inputs > 1) {
    std::printf("\n%s", SummaryText(summary_, limit).c_str());
  }
}

// All targets are looked at, as one may be the same as another that was not asked for.
void RelabelCommand::ExplainDiscovered() {
  const std::vector<DiscoveredTarget> targets = DiscoverTargets(files_, *config_, chain_.job);
  if (CountSelected(targets, chain_.job.job_name, options_.target) == 0) {
    status_ = kExitUsage;
    return;
  }
  Begin();
  std::map<uint64_t, std::string> seen;
  for (const DiscoveredTarget& target : targets) {
    Explanation explanation = ExplainTarget(chain_, target.labels);
    explanation.source = target.source;
    if (!explanation.dropped && explanation.error.empty()) {
      const auto [first, is_new] = seen.emplace(explanation.target_key, explanation.input);
      if (!is_new) explanation.same_as = first->second;
    }
    summary_.Count(explanation);
    if (IsSelected(target, options_.target)) Print(explanation);
  }
  End();
}

void RelabelCommand::ExplainInput(Result<LabelInput> input) {
  if (!input) {
    std::fflush(stdout);  // so that it stands where it belongs
    status_ = Refuse(input.error().message);
    return;
  }
  Explanation explanation;
  if (chain_.kind == Chain::Kind::kTarget) {
    const std::string address(input->labels.Get("__address__"));
    explanation = ExplainTarget(chain_, DiscoveredLabels(chain_.job, address, input->labels));
    explanation.input = input->text;
  } else {
    explanation = ExplainSeries(chain_, *input);
  }
  summary_.Count(explanation);
  Print(explanation);
}

int RelabelCommand::Run() {
  const std::string contradiction = Contradiction(options_);
  if (!contradiction.empty()) return Refuse(contradiction);
  if (!ReadChain()) return status_;
  std::vector<LabelInput> inputs;
  bool reads_stdin = options_.input == "-";
  for (const std::string& text : options_.labels) {
    if (text == "-") {
      reads_stdin = true;
      continue;
    }
    Result<LabelInput> input = ParseLabelInput(text);
    if (!input) return Refuse("--labels: " + input.error().message);
    inputs.push_back(std::move(*input));
  }
  if (inputs.empty() && !reads_stdin) {
    if (chain_.kind != Chain::Kind::kTarget) {
      return Refuse("what series? Give some by --labels, or one a line on standard input with '-'");
    }
    ExplainDiscovered();
    return status_;
  }
  if (chain_.kind == Chain::Kind::kTarget && !options_.target.empty()) {
    return Refuse("--target chooses among discovered targets; leave it out with --labels");
  }
  if (chain_.kind == Chain::Kind::kMetric && !chain_.target_labels) {
    std::fprintf(stderr,
                 "agentctl: the labels of a target (job, instance, ...) are not added to "
                 "the series; --target TEXT adds those of one\n");
  }
  Begin();
  for (LabelInput& input : inputs) ExplainInput(std::move(input));
  if (reads_stdin) {
    ReadInputs(stdin, [this](Result<LabelInput> input) { ExplainInput(std::move(input)); });
  }
  End();
  return status_;
}

int RunRelabel(const RelabelOptions& options) {
  const int status = RelabelCommand(options).Run();
  return std::fflush(stdout) == 0 ? status : kExitUsage;
}

}  // namespace

void AddRelabel(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "relabel",
      "Explain what relabeling does to targets or series, rule by rule. Exit status: 0 it was "
      "explained (also what is dropped), 1 the configuration is invalid, 2 wrong usage or "
      "something cannot be read.");
  auto options = std::make_shared<RelabelOptions>();
  command->add_option("--config", options->config, "The agent's configuration file.");
  AddExpandEnv(*command);
  command->add_option("--job", options->job,
                      "Take the relabel_configs of this job; without labels given, on the targets "
                      "that are discovered for it now.");
  command->add_flag("--metric", options->metric,
                    "Take the job's metric_relabel_configs, for series of its targets.");
  command->add_option("--remote", options->remote,
                      "Take external_labels and write_relabel_configs of this remote_write entry.");
  command->add_option("--rules", options->rules,
                      "Take the rules from this file, a YAML list as below relabel_configs; with "
                      "--job or --remote in place of theirs.");
  command
      ->add_option("--labels", options->labels,
                   "Labels: {a=\"b\"}, or a series as on a page: up{a=\"b\"}. Can be repeated.")
      ->allow_extra_args(false);
  command->add_option("--target", options->target,
                      "Only targets with this in their address; with --metric: the one whose "
                      "labels are added to the series.");
  command
      ->add_option("INPUT", options->input,
                   "'-': read labels from standard input, one set a line; also a whole page.")
      ->check(CLI::IsMember({"-"}));
  command->add_flag("--json", options->json, "Report as JSON.");
  command->callback([options, &status] { status = RunRelabel(*options); });
}

void AddSd(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "sd",
      "Show what is discovered for a job now, before and after relabeling. Exit status: 0 it was "
      "shown, 1 the configuration is invalid, 2 wrong usage, or there is nothing.");
  auto options = std::make_shared<RelabelOptions>();
  options->steps = false;
  command->add_option("--config", options->config, "The agent's configuration file.")->required();
  AddExpandEnv(*command);
  command->add_option("--job", options->job, "The job.")->required();
  command->add_option("--target", options->target, "Only targets with this in their address.");
  command->add_flag("--json", options->json, "Report as JSON.");
  command->callback([options, &status] { status = RunRelabel(*options); });
}

}  // namespace tributary
