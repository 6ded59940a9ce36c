// Reads Prometheus' configuration file, strictly: every problem of it in one go.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/file/file_system.h"

namespace tributary {

// A problem, or a warning, at a place in a file. line and column count from 1; 0 is 'the file as a
// whole'.
struct Diagnostic {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;  // what is wrong
  std::string hint;     // what to do, or the nearest valid name; may be empty
  // "prometheus.yml:3:5: error: unknown field 'scrape_intervall' in scrape_config (did you mean
  // 'scrape_interval'?)"
  std::string ToString() const;
};

struct LoadResult {
  // Null if there is an error among the diagnostics.
  std::shared_ptr<const Config> config;
  std::vector<Diagnostic> diagnostics;  // by file and line
  bool unreadable = false;              // the main file could not be read at all
};

struct LoadOptions {
  // Looks up a variable of the environment, for external_labels and `expand_env`; nullopt: not set.
  std::function<std::optional<std::string>(const std::string&)> getenv;
  // --config.expand-env: %{NAME} in all values (common/config/expand.h).
  bool expand_env = false;
  // Stands for %{HOSTNAME} where the environment has no such variable; "": nothing does.
  std::string host_name;
  // --enable-feature=st-storage: targets are asked first for the format that has start timestamps.
  bool start_timestamps = false;
  // Whether files of credentials and certificates that are missing are errors. They are read at
  // use, and may well come later: not for the agent, but for who checks a configuration.
  bool check_files = false;
};

// Never throws. `path` may be relative; paths inside the files resolve against the folder of the
// file.
LoadResult LoadConfig(FileSystem& files, const std::string& path, const LoadOptions& options = {});

// The same of a text that is no file's. `name` is what messages call it; paths inside it resolve
// against the working directory.
LoadResult LoadConfigText(FileSystem& files, const std::string& name, const std::string& text,
                          const LoadOptions& options = {});

struct RulesResult {
  // Nothing if there is an error among the diagnostics.
  std::optional<std::vector<RelabelConfig>> rules;
  std::vector<Diagnostic> diagnostics;  // by line
  bool unreadable = false;
};

// A file that is a list of relabeling rules and nothing else, for those who try rules out.
RulesResult LoadRelabelRules(FileSystem& files, const std::string& path, NameValidation validation);

struct HttpConfigResult {
  // Nothing if there is an error among the diagnostics.
  std::optional<HttpClientConfig> config;
  std::vector<Diagnostic> diagnostics;  // by line
};

// A file that holds the options of HTTP clients and nothing else (promtool's --http.config.file).
HttpConfigResult LoadHttpConfig(FileSystem& files, const std::string& path);

// A job of which a file says nothing but its name.
ScrapeConfig DefaultScrapeConfig(const std::string& job_name);

}  // namespace tributary
