// The one table of everything that the configuration file may say. The reader (reader.h), the
// defaults, the diagnostics, the printed configuration (dump.h) and docs/configuration.md (docs.h)
// all come from it: an option is added here and nowhere else.
//
// Names, types, defaults and order follow prometheus/prometheus 3.16 (config/config.go,
// discovery/*, storage/remote) and prometheus/common config/http_config.go.
//
// Threading: built once, at first use, then immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

class SectionValue;
class CheckContext;

enum class OptionType : uint8_t {
  kBool,
  kInt,
  kUint,
  kFloat,
  kDuration,  // "1h30m"
  kSize,      // "64MB"
  kString,
  kEnum,        // one of Option::values
  kSecret,      // text that is never shown
  kPath,        // relative to the folder of the file that says it
  kUrl,         // as Go's url.Parse takes it; its password is never shown
  kStrings,     // list
  kEnums,       // list of Option::values
  kPaths,       // list
  kSecrets,     // list
  kMap,         // text to text
  kSecretMap,   // text to text that is never shown
  kLabels,      // label name to text
  kListMap,     // text to list of text
  kSecretsMap,  // text to list of text that is never shown
  kAny,         // not looked into, never shown
  kSection,     // a map with the options of Option::section
  kSections,    // a list of them
  kSectionMap,  // name to one of them
};

enum class Support : uint8_t {
  kBuilt,
  kNoEffect,  // accepted and without effect: the agent has nothing that it could act on
  kNotBuilt,  // known, checked, and refused unless it says no more than its default
  kRefused,   // not for agent mode
};

struct Section;

struct Option {
  std::string_view name = {};
  OptionType type = OptionType::kString;
  std::string_view fallback = {};  // the default, as a file would say it; "" is zero, empty, none
  std::string_view doc = {};
  Support support = Support::kBuilt;
  std::string_view values = {};          // of kEnum and kEnums: "a|b|c"
  std::string_view unbuilt_values = {};  // those of them that are not built
  const Section* section = nullptr;      // of the section types
  bool required = false;                 // has to be there and not empty
  bool shown = false;                    // printed even where it is zero or empty
  bool positive = false;                 // a number or duration above 0
  // A section that Prometheus keeps behind a pointer: absent unless the file has it. Other sections
  // always exist, with their defaults.
  bool optional = false;
  // A null in the file means the defaults rather than zero.
  bool null_is_default = false;
  // A list for which being empty is something else than not being there.
  bool empty_counts = false;
  bool http_client = false;  // belongs to the fields that HTTP clients share
};

// The checks between the options of a section, once all of them are read.
using SectionCheck = void (*)(SectionValue& section, CheckContext& context);

struct Section {
  std::string_view name;  // as messages and the documentation call it
  std::string_view doc;
  std::vector<Option> options;  // in the order in which they are printed
  SectionCheck check = nullptr;
  Support support = Support::kBuilt;

  const Option* Find(std::string_view option) const;
};

// The whole file, a file of scrape_config_files, and the parts that the loader names itself.
const Section& FileSection();
const Section& ScrapeConfigFileSection();
// Every section there is, each once, in the order of the documentation.
std::vector<const Section*> AllSections();

// The parts of the table, one file each. `enable_http2` is the default of that option.
const Section& GlobalSection();
const Section& ScrapeConfigSection();
const Section& ScrapeLimitsSection();
const Section& StaticConfigSection();
const Section& RelabelSection();
const Section& RemoteWriteSection();
const Section& RemoteErrorsSection();
const Section& RemoteShareSection();
const Section& AggregateSection();
const Section& DownsampleSection();
const Section& TlsSection();
const Section& Sigv4Section();
std::vector<Option> HttpClientOptions(bool enable_http2);
std::vector<Option> ServiceDiscoveryOptions();

// One list out of several.
std::vector<Option> Join(std::vector<std::vector<Option>> parts);

// The protocols of scrape_protocols: all, those not built, and the default.
inline constexpr std::string_view kScrapeProtocols =
    "PrometheusProto|OpenMetricsText0.0.1|OpenMetricsText1.0.0|OpenMetricsText2.0.0|"
    "PrometheusText0.0.4|PrometheusText1.0.0";
inline constexpr std::string_view kUnbuiltScrapeProtocols = "OpenMetricsText2.0.0";
inline constexpr std::string_view kDefaultScrapeProtocols =
    "OpenMetricsText1.0.0|OpenMetricsText0.0.1|PrometheusText1.0.0|PrometheusText0.0.4";
// Where native histograms or start timestamps are wanted.
inline constexpr std::string_view kProtobufFirstScrapeProtocols =
    "PrometheusProto|OpenMetricsText1.0.0|OpenMetricsText0.0.1|PrometheusText1.0.0|"
    "PrometheusText0.0.4";

// Whether `text` is one of "a|b|c".
bool IsListed(std::string_view values, std::string_view text);
std::vector<std::string> ListedValues(std::string_view values);

// In words: "duration", "list of text".
std::string_view OptionTypeName(OptionType type);
bool IsSecretType(OptionType type);
bool IsSectionType(OptionType type);

}  // namespace tributary
