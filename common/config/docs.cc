#include "common/config/docs.h"

#include <algorithm>

#include "common/base/units.h"
#include "common/config/options.h"
#include "common/config/reader.h"

namespace tributary {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Written by `agentctl docs configuration` from common/config/options*.cc, and kept
     current by a test. -->

The configuration is Prometheus' own file (version 3.16, agent mode), read strictly: an unknown
field, a value of the wrong type or a key that stands twice is an error that names file, line and
column, and all problems of a file are reported at once. `agentctl test-config FILE` checks a file
without running it.

- Durations are `30s`, `5m`, `1h30m`, `1d`; units from long to short are y, w, d, h, m, s, ms. Sizes
  are `512KB`, `64MB`, `1.5GB`, powers of 1024.
- Relative file names are resolved against the folder of the file that names them.
- Environment variables are expanded in `external_labels`, and with `--config.expand-env` in all
  values (operating.md).
- As in Prometheus, a field that is there but has no value is zero or empty, not its default.
- Secrets are never shown: not in messages, logs or the printed configuration.

In the column *Status*, an empty cell is an option that works. **not yet**: known and checked, but
not built in this version, and an error unless it says no more than its default. *no effect*:
accepted, there is nothing in an agent that it could act on. *refused*: an error, since Prometheus
refuses it in agent mode.
)";

std::string Anchor(const Section& section) {
  std::string anchor;
  for (char c : section.name) {
    if (c == ' ')
      anchor += '-';
    else
      anchor += c;
  }
  return anchor;
}

std::string TypeText(const Option& option) {
  if (IsSectionType(option.type)) {
    std::string link =
        "[" + std::string(option.section->name) + "](#" + Anchor(*option.section) + ")";
    if (option.type == OptionType::kSection) return link;
    return (option.type == OptionType::kSections ? "list of " : "name to ") + link;
  }
  std::string text(OptionTypeName(option.type));
  std::string values;
  for (const std::string& value : ListedValues(option.values)) {
    values += (values.empty() ? " `" : ", `") + value + "`";
  }
  return text + values;
}

std::string DefaultText(const Option& option) {
  if (option.required && option.fallback.empty()) return "required";
  if (!option.fallback.empty()) return "`" + std::string(option.fallback) + "`";
  switch (option.type) {
    case OptionType::kBool:
      return "`false`";
    case OptionType::kInt:
    case OptionType::kUint:
    case OptionType::kFloat:
      return "`0`";
    case OptionType::kDuration:
      return "`0s`";
    case OptionType::kSize:
      return "`0B`";
    default:
      return "";
  }
}

std::string StatusText(const Option& option) {
  switch (option.support) {
    case Support::kBuilt:
      break;
    case Support::kNoEffect:
      return "*no effect*";
    case Support::kNotBuilt:
      return "**not yet**";
    case Support::kRefused:
      return "*refused*";
  }
  std::string unbuilt;
  for (const std::string& value : ListedValues(option.unbuilt_values)) {
    unbuilt += (unbuilt.empty() ? "**not yet**: `" : ", `") + value + "`";
  }
  return unbuilt;
}

std::string TextOfSection(const Section& section) {
  std::string out = "\n## " + std::string(section.name) + "\n\n" + std::string(section.doc);
  if (section.support == Support::kNotBuilt) out += " **Not built yet.**";
  if (section.support == Support::kNoEffect) out += " *Without effect.*";
  if (section.support == Support::kRefused) out += " *Refused in agent mode.*";
  out += "\n\n| Option | Type | Default | Status | |\n| --- | --- | --- | --- | --- |\n";
  bool http = false;
  for (const Option& option : section.options) {
    if (option.http_client) {
      http = true;
      continue;
    }
    out += "| `" + std::string(option.name) + "` | " + TypeText(option) + " | " +
           DefaultText(option) + " | " + StatusText(option) + " | " + std::string(option.doc) +
           (option.positive ? " Above 0." : "") + " |\n";
  }
  if (http) {
    const Option* http2 = section.Find("enable_http2");
    out += "\nAnd the options of [HTTP clients](#http-clients)";
    if (http2->fallback == "false") out += ", with `enable_http2: false` as its default";
    out += ".\n";
  }
  return out;
}

}  // namespace

std::string ConfigurationPage() {
  std::string page(kIntroduction);
  static const std::vector<Option> kHttpOptions = [] {
    std::vector<Option> options = HttpClientOptions(true);
    for (Option& option : options) option.http_client = false;
    return options;
  }();
  Section http{"HTTP clients", "What scraping, sending and discovery by HTTP have in common.",
               kHttpOptions};
  for (const Section* section : AllSections()) {
    page += TextOfSection(*section);
    if (section == &ScrapeConfigSection()) page += TextOfSection(http);
  }
  return page;
}

}  // namespace tributary
