// config/config.go: what a job, global and the top level refuse before they are put together
// (resolve.cc does the rest), and model/relabel/relabel.go.
#include <algorithm>
#include <set>

#include "common/base/utf8.h"
#include "common/config/checks.h"
#include "common/config/suggest.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

// ^[^*]*(\*[^/]*)?$
bool OnlyLastPartIsPattern(std::string_view path) {
  size_t star = path.find('*');
  return star == std::string_view::npos || path.find('/', star) == std::string_view::npos;
}

void CheckProtocols(const SectionValue& section, CheckContext& context) {
  const Value& protocols = section.Get("scrape_protocols");
  if (!protocols.given) return;
  if (protocols.items.empty() && protocols.valid) {
    context.Error(protocols, section, "'scrape_protocols' cannot be empty",
                  "leave it out for the default");
  }
  std::set<std::string> seen;
  for (const Value& protocol : protocols.items) {
    if (seen.insert(protocol.text).second) continue;
    context.Error(protocol, section, "'" + protocol.text + "' stands twice in scrape_protocols");
  }
}

}  // namespace

void CheckGlobal(SectionValue& section, CheckContext& context) {
  CheckProtocols(section, context);
  const Value& interval = section.Get("scrape_interval");
  const Value& timeout = section.Get("scrape_timeout");
  Value& scheme = section.Set("metric_name_validation_scheme");
  if (scheme.text.empty()) scheme.text = "utf8";
  for (const auto& [name, value] : section.Get("external_labels").entries) {
    bool legacy = scheme.text == "legacy";
    if (legacy && !IsValidLabelName(name, NameValidation::kLegacy)) {
      context.Error(value.key_line, value.key_column,
                    "'" + name + "' is not a valid label name in the legacy scheme");
    }
    if (!IsValidUtf8(value.text)) {
      context.Error(value, section, "the value of the label '" + name + "' is not valid UTF-8");
    }
  }
  if (interval.valid && interval.integer == 0) {
    section.Set("scrape_interval").integer = 60'000;
  }
  std::chrono::milliseconds effective = section.Duration("scrape_interval");
  if (timeout.given && timeout.duration() > effective) {
    context.Error(timeout, section, "'scrape_timeout' is longer than 'scrape_interval'");
  } else if (!timeout.given || timeout.integer == 0) {
    section.Set("scrape_timeout").integer = std::min<int64_t>(10'000, effective.count());
  }
  if (section.Get("evaluation_interval").integer == 0) {
    section.Set("evaluation_interval").integer = 60'000;
  }
}

void CheckFile(SectionValue& section, CheckContext& context) {
  for (const Value& path : section.Get("scrape_config_files").items) {
    if (OnlyLastPartIsPattern(path.text)) continue;
    context.Error(path, section,
                  "only the last part of a path in scrape_config_files may hold '*'");
  }
}

void CheckScrapeConfig(SectionValue& section, CheckContext& context) {
  CheckProtocols(section, context);
  CheckHttpClient(section, context);
  // With relabeling a target's address may still become one.
  if (!section.Get("relabel_configs").sections.empty()) return;
  for (const SectionValue& group : section.Get("static_configs").sections) {
    for (const Value& target : group.Get("targets").items) {
      if (target.text.find('/') == std::string::npos) continue;
      context.Error(target, group, "'" + target.text + "' is not a host with a port",
                    "the path goes into metrics_path, the scheme into scheme");
    }
  }
}

void CheckRelabel(SectionValue& section, CheckContext& context) {
  const Value& action = section.Get("action");
  if (!action.valid || ParseRelabelAction(action.text)) return;
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(RelabelAction::kDropEqual); ++i) {
    names.emplace_back(RelabelActionName(static_cast<RelabelAction>(i)));
  }
  context.Error(action, section, "'" + action.text + "' is not an action of relabeling",
                ChoiceHint(action.text, names));
  section.Set("action").valid = false;
}

void CheckFileSd(SectionValue& section, CheckContext& context) {
  for (const Value& file : section.Get("files").items) {
    bool extension = false;
    for (std::string_view end : {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"}) {
      extension = extension || file.text.ends_with(end);
    }
    if (!extension) {
      context.Error(file, section, "'" + file.text + "' does not end in .json, .yml or .yaml");
    } else if (!OnlyLastPartIsPattern(file.text)) {
      context.Error(file, section, "only the last part of '" + file.text + "' may hold '*'");
    }
  }
}

}  // namespace tributary
