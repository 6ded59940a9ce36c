#include "common/config/loader.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/config/checks.h"
#include "common/config/dump.h"
#include "common/config/expand.h"
#include "common/config/reader.h"
#include "common/config/resolve.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

constexpr size_t kConfigBytesMax = 64 << 20;

bool AnyError(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& diagnostic) {
    return diagnostic.severity == Diagnostic::Severity::kError;
  });
}

// One file as YAML; nothing, and an error, if it cannot be read as such at all.
std::optional<YamlNode> ParseFile(const std::string& text, CheckContext& context) {
  YamlDocument document = ParseYaml(text);
  for (YamlProblem& problem : document.problems) {
    if (problem.warning) {
      context.Warning(problem.line, problem.column, std::move(problem.message));
    } else {
      context.Error(problem.line, problem.column, std::move(problem.message));
    }
  }
  if (!document.complete) return std::nullopt;
  return std::move(document.root);
}

void SortByPlace(std::vector<Diagnostic>& diagnostics) {
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
                   });
}

class Loader {
 public:
  Loader(FileSystem& files, const LoadOptions& options) : files_(files), options_(options) {}

  // `text`: of the main file if it is not to be read; null: it is.
  LoadResult Load(const std::string& path, const std::string* text);

 private:
  // One file as a section; nothing if it cannot be read as one at all.
  std::optional<SectionValue> ReadFile(const std::string& path, const Section& section);
  std::optional<SectionValue> ReadText(const std::string& name, const std::string& text,
                                       const std::string& folder, const Section& section);
  void ReadScrapeConfigFiles(const SectionValue& file, std::vector<ScrapeConfig>& jobs,
                             CheckContext& main);
  void ResolveJobs(const SectionValue& global, Value& jobs, CheckContext& context,
                   const std::string& where);
  void CheckRemotes(const SectionValue& global, const Value& remotes, CheckContext& context);
  void NameRemotes(const Value& sections, std::vector<RemoteWriteConfig>& remotes);
  bool HasErrors() const { return AnyError(diagnostics_); }
  const SectionValue* scrape_limits() const { return scrape_limits_ ? &*scrape_limits_ : nullptr; }

  FileSystem& files_;
  const LoadOptions& options_;
  std::vector<Diagnostic> diagnostics_;
  std::vector<std::string> read_;
  std::map<std::string, std::string> job_files_;  // name of a job to the file that has it
  SectionValue global_;
  std::optional<SectionValue> scrape_limits_;  // of the top level
  bool unreadable_ = false;
};

std::optional<SectionValue> Loader::ReadFile(const std::string& path, const Section& section) {
  CheckContext context(path, diagnostics_);
  Result<std::string> text = files_.ReadFile(path, kConfigBytesMax);
  if (!text) {
    context.Error(0, 0, "cannot be read: " + text.error().message);
    unreadable_ = unreadable_ || read_.empty();
    return std::nullopt;
  }
  read_.push_back(path);
  return ReadText(path, *text, FolderOf(path), section);
}

std::optional<SectionValue> Loader::ReadText(const std::string& name, const std::string& text,
                                             const std::string& folder, const Section& section) {
  CheckContext context(name, diagnostics_);
  std::optional<YamlNode> root = ParseFile(text, context);
  if (!root) return std::nullopt;
  if (options_.expand_env) ExpandVariables(*root, options_, context);
  return ReadSection(*root, section, folder, context);
}

void Loader::ResolveJobs(const SectionValue& global, Value& jobs, CheckContext& context,
                         const std::string& where) {
  for (SectionValue& job : jobs.sections) {
    const Value& name = job.Get("job_name");
    if (!name.text.empty()) {
      auto [first, added] = job_files_.emplace(name.text, where);
      if (!added) {
        context.Error(name, job, "there are two jobs named '" + name.text + "'",
                      first->second == where ? "" : "the other one is in " + first->second);
      }
    }
    ResolveJob(global, job, options_, context);
    if (scrape_limits_) ResolveScrapeLimits(*scrape_limits_, job);
    if (options_.check_files) CheckJobFiles(job, files_, context);
  }
}

void Loader::ReadScrapeConfigFiles(const SectionValue& file, std::vector<ScrapeConfig>& jobs,
                                   CheckContext& main) {
  for (const Value& pattern : file.Get("scrape_config_files").items) {
    Result<std::vector<std::string>> found = files_.Glob(pattern.text);
    if (!found) {
      main.Error(pattern, file, "'" + pattern.text + "': " + found.error().message);
      continue;
    }
    if (found->empty() && pattern.text.find_first_of("*?[") == std::string::npos) {
      main.Warning(pattern.line, pattern.column, "there is no file '" + pattern.text + "'");
    }
    for (const std::string& path : *found) {
      std::optional<SectionValue> more = ReadFile(path, ScrapeConfigFileSection());
      if (!more) continue;
      CheckContext context(path, diagnostics_);
      Value& sections = more->Set("scrape_configs");
      ResolveJobs(global_, sections, context, path);
      if (HasErrors()) continue;
      for (const SectionValue& job : sections.sections)
        jobs.push_back(MakeScrapeConfig(job, scrape_limits(), options_, path));
    }
  }
}

void Loader::CheckRemotes(const SectionValue& global, const Value& remotes, CheckContext& context) {
  std::set<std::string> names;
  for (const SectionValue& remote : remotes.sections) {
    const Value& name = remote.Get("name");
    if (!name.text.empty() && !names.insert(name.text).second) {
      context.Error(name, remote, "there are two remotes named '" + name.text + "'");
    }
    CheckRelabelRules(remote.Get("write_relabel_configs"), ValidationOf(global), context);
    if (options_.check_files) CheckRemoteFiles(remote, files_, context);
  }
}

// Remotes without a name are named by what they are: the printed entry, secrets left out so that a
// new one does not make a new remote. Entries that are alike are told apart by their order.
void Loader::NameRemotes(const Value& sections, std::vector<RemoteWriteConfig>& remotes) {
  std::set<std::string> names;
  std::map<std::string, int> unnamed;  // by URL
  for (RemoteWriteConfig& remote : remotes) {
    names.insert(remote.name);
    const std::string url = RedactUrl(remote.url);
    remote.identity = remote.name.empty() ? "url " + url + " " + std::to_string(unnamed[url]++)
                                          : "name " + remote.name;
  }
  for (size_t i = 0; i < remotes.size(); ++i) {
    if (!remotes[i].name.empty()) continue;
    std::string entry = DumpYaml(sections.sections[i]);
    for (int ordinal = 0; remotes[i].name.empty() || !names.insert(remotes[i].name).second;
         ++ordinal) {
      uint64_t hash = StableHash(entry + "#" + std::to_string(ordinal));
      char name[8];
      std::snprintf(name, sizeof(name), "%06x", static_cast<unsigned>(hash >> 40));
      remotes[i].name = name;
    }
  }
}

// Each remote knows who else is in its group, once all have their identities.
void FindShareMembers(std::vector<RemoteWriteConfig>& remotes) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const RemoteWriteConfig& remote : remotes) {
    groups[remote.share.group].push_back(remote.identity);
  }
  for (auto& [group, members] : groups) std::sort(members.begin(), members.end());
  for (RemoteWriteConfig& remote : remotes) {
    if (!remote.share.group.empty()) remote.share.members = groups[remote.share.group];
  }
}

LoadResult Loader::Load(const std::string& path, const std::string* text) {
  LoadResult result;
  auto config = std::make_shared<Config>();
  std::optional<SectionValue> file =
      text == nullptr ? ReadFile(path, FileSection()) : ReadText(path, *text, ".", FileSection());
  if (file) {
    CheckContext context(path, diagnostics_);
    global_ = *file->Sub("global");
    if (!file->Given("global")) global_.Set("metric_name_escaping_scheme").text = "allow-utf-8";
    const SectionValue* ours = file->Sub("tributary");
    if (const SectionValue* scrape = ours == nullptr ? nullptr : ours->Sub("scrape")) {
      scrape_limits_ = *scrape;
    }
    ResolveJobs(global_, file->Set("scrape_configs"), context, path);
    const SectionValue* errors = ours == nullptr ? nullptr : ours->Sub("remote_write");
    if (errors != nullptr) ResolveRemoteErrors(*errors, file->Set("remote_write"), context);
    CheckRemotes(global_, file->Get("remote_write"), context);
    CheckRemoteShares(file->Get("remote_write"), errors, context);
    if (const SectionValue* tracing = file->Sub("tracing"); tracing && options_.check_files) {
      CheckRemoteFiles(*tracing, files_, context);
    }
    ExpandExternalLabels(global_, options_, context);
    file->Set("global").sections.assign(1, global_);
    if (!HasErrors()) {
      for (const SectionValue& job : file->Get("scrape_configs").sections) {
        config->scrape_configs.push_back(MakeScrapeConfig(job, scrape_limits(), options_, path));
      }
    }
    ReadScrapeConfigFiles(*file, config->scrape_configs, context);
    if (!HasErrors()) {
      config->global = MakeGlobal(global_);
      for (const SectionValue& remote : file->Get("remote_write").sections) {
        config->remote_write.push_back(MakeRemoteWrite(remote, errors, path));
      }
      NameRemotes(file->Get("remote_write"), config->remote_write);
      FindShareMembers(config->remote_write);
      if (const SectionValue* tracing = file->Sub("tracing")) {
        config->tracing = MakeTracing(*tracing);
      }
      if (const SectionValue* receive = ours == nullptr ? nullptr : ours->Sub("receive")) {
        config->receive = MakeReceive(*receive);
      }
      if (ours != nullptr) {
        for (const SectionValue& aggregate : ours->Get("aggregate").sections) {
          config->aggregate.push_back(MakeAggregate(aggregate));
        }
        for (const SectionValue& downsample : ours->Get("downsample").sections) {
          config->downsample.push_back(MakeDownsample(downsample));
        }
      }
      if (const SectionValue* tsdb = file->Sub("storage")->Sub("tsdb")) {
        config->out_of_order_time_window = tsdb->Duration("out_of_order_time_window");
      }
      config->yaml = DumpYaml(*file);
      config->files = read_;
      result.config = std::move(config);
    }
  }
  SortByPlace(diagnostics_);
  result.diagnostics = std::move(diagnostics_);
  result.unreadable = unreadable_;
  return result;
}

}  // namespace

std::string Diagnostic::ToString() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (line > 0 && column > 0) out += ":" + std::to_string(column);
  out += severity == Severity::kError ? ": error: " : ": warning: ";
  out += message;
  if (!hint.empty()) out += " (" + hint + ")";
  return out;
}

LoadResult LoadConfig(FileSystem& files, const std::string& path, const LoadOptions& options) {
  return Loader(files, options).Load(path, nullptr);
}

LoadResult LoadConfigText(FileSystem& files, const std::string& name, const std::string& text,
                          const LoadOptions& options) {
  return Loader(files, options).Load(name, &text);
}

RulesResult LoadRelabelRules(FileSystem& files, const std::string& path,
                             NameValidation validation) {
  RulesResult result;
  CheckContext context(path, result.diagnostics);
  Result<std::string> text = files.ReadFile(path, kConfigBytesMax);
  if (!text) {
    context.Error(0, 0, "cannot be read: " + text.error().message);
    result.unreadable = true;
    return result;
  }
  std::optional<YamlNode> root = ParseFile(*text, context);
  if (!root) return result;
  if (!root->is_list()) {
    context.Error(root->line, root->column, "a file of rules has to be a list of them",
                  "what stands below relabel_configs, without that word");
    return result;
  }
  Value rules;
  for (const YamlNode& rule : root->list) {
    rules.sections.push_back(ReadSection(rule, RelabelSection(), FolderOf(path), context));
  }
  if (!AnyError(result.diagnostics)) CheckRelabelRules(rules, validation, context);
  if (!AnyError(result.diagnostics)) result.rules = MakeRelabels(rules, path);
  SortByPlace(result.diagnostics);
  return result;
}

HttpConfigResult LoadHttpConfig(FileSystem& files, const std::string& path) {
  static const Section kSection{
      "http_config", "", HttpClientOptions(true),
      [](SectionValue& section, CheckContext& context) { CheckHttpClient(section, context); }};
  HttpConfigResult result;
  CheckContext context(path, result.diagnostics);
  Result<std::string> text = files.ReadFile(path, kConfigBytesMax);
  if (!text) {
    context.Error(0, 0, "cannot be read: " + text.error().message);
    return result;
  }
  const std::optional<YamlNode> root = ParseFile(*text, context);
  if (!root) return result;
  const SectionValue section = ReadSection(*root, kSection, FolderOf(path), context);
  SortByPlace(result.diagnostics);
  if (!AnyError(result.diagnostics)) result.config = MakeHttpClient(section);
  return result;
}

ScrapeConfig DefaultScrapeConfig(const std::string& job_name) {
  std::vector<Diagnostic> diagnostics;
  CheckContext context("", diagnostics);
  const SectionValue file(FileSection());
  SectionValue global = *file.Sub("global");
  global.Set("metric_name_escaping_scheme").text = "allow-utf-8";
  SectionValue job(ScrapeConfigSection());
  job.Set("job_name").text = job_name;
  ResolveJob(global, job, {}, context);
  CHECK(diagnostics.empty());
  return MakeScrapeConfig(job, nullptr, {}, "");
}

}  // namespace tributary
