#include "agent/target/target.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "agent/target/url.h"
#include "common/base/assert.h"
#include "common/base/units.h"
#include "common/base/utf8.h"
#include "common/labels/pack_labels.h"

namespace tributary {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kMetricsPath = "__metrics_path__";
constexpr std::string_view kUnixSocket = "__unix_socket__";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";
constexpr std::string_view kParamPrefix = "__param_";
constexpr std::string_view kMetaPrefix = "__meta_";
constexpr std::string_view kReservedPrefix = "__";

constexpr std::string_view kConvertClassic = "__convert_classic_histograms_to_nhcb__";
constexpr std::string_view kKeepClassic = "__always_scrape_classic_histograms__";
constexpr std::string_view kNative = "__scrape_native_histograms__";

std::string Quote(std::string_view text) { return '"' + std::string(text) + '"'; }

// What Go's strconv.ParseBool takes.
Result<bool> ReadBool(const Labels& labels, std::string_view name, bool fallback) {
  const std::string_view text = labels.Get(name);
  if (text.empty()) return fallback;
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return Fail("label " + std::string(name) + " is neither true nor false: " + Quote(text));
}

// The labels decide, which have the job's say unless rules change them; one that rules removed
// leaves the job's.
Result<HistogramMode> ReadHistogramMode(const ScrapeConfig& config, const Labels& labels) {
  const Result<bool> convert =
      ReadBool(labels, kConvertClassic, config.convert_classic_histograms_to_nhcb);
  if (!convert) return tl::unexpected(convert.error());
  const Result<bool> keep = ReadBool(labels, kKeepClassic, config.always_scrape_classic_histograms);
  if (!keep) return tl::unexpected(keep.error());
  const Result<bool> native = ReadBool(labels, kNative, config.scrape_native_histograms);
  if (!native) return tl::unexpected(native.error());
  return HistogramMode{*native, *keep, *convert};
}

Result<milliseconds> ReadDuration(std::string_view text, const std::string& what) {
  Result<milliseconds> value = ParseDuration(text);
  if (!value) return Fail("bad " + what + ": " + value.error().message);
  if (value->count() == 0) return Fail("the " + what + " is 0");
  return value;
}

// Reads what `labels`, as relabeling left them, say about the scrape into `spec`.
Status ReadScrape(const ScrapeConfig& config, const Labels& labels, TargetSpec& spec) {
  const std::string_view address = labels.Get(kAddress);
  if (address.empty()) return Fail("no address");
  if (address.find('/') != std::string_view::npos) {
    return Fail("the address " + Quote(address) + " holds a '/'");
  }
  const Result<milliseconds> interval = ReadDuration(labels.Get(kInterval), "scrape interval");
  if (!interval) return tl::unexpected(interval.error());
  const Result<milliseconds> timeout = ReadDuration(labels.Get(kTimeout), "scrape timeout");
  if (!timeout) return tl::unexpected(timeout.error());
  if (*timeout > *interval) {
    return Fail("the scrape timeout is above the scrape interval (" + Quote(labels.Get(kTimeout)) +
                " > " + Quote(labels.Get(kInterval)) + ")");
  }
  const Result<HistogramMode> histograms = ReadHistogramMode(config, labels);
  if (!histograms) return tl::unexpected(histograms.error());
  spec.histograms = *histograms;
  spec.interval = *interval;
  spec.timeout = *timeout;
  return {};
}

// The labels of the target's series; an error if a value is no text.
Status ReadPublicLabels(const Labels& labels, TargetSpec& spec) {
  std::vector<Label> kept;
  for (const Label& label : labels) {
    if (label.name.starts_with(kMetaPrefix)) continue;
    if (!IsValidUtf8(label.value)) {
      return Fail("the value of label " + Quote(label.name) + " is not valid UTF-8");
    }
    if (!label.name.starts_with(kReservedPrefix)) kept.push_back(label);
  }
  spec.labels = Labels(std::move(kept));
  if (!spec.labels.Has("instance")) spec.labels.Set("instance", labels.Get(kAddress));
  spec.labels.ShrinkToFit();  // there may be very many
  return {};
}

uint64_t TargetKey(const TargetSpec& spec) {
  Labels identity = spec.labels;
  identity.Set("__url__", spec.url);  // no public label has this name
  if (!spec.unix_socket.empty()) identity.Set(kUnixSocket, spec.unix_socket);
  return identity.Hash();
}

// Null: dropped by relabeling.
Result<std::shared_ptr<TargetSpec>> BuildTarget(const ScrapeConfig& config,
                                                const RelabelRules& rules, Labels labels) {
  if (!rules.Apply(labels)) return nullptr;
  return MakeTarget(config, labels);
}

}  // namespace

Result<std::shared_ptr<TargetSpec>> MakeTarget(const ScrapeConfig& config, const Labels& labels) {
  auto spec = std::make_shared<TargetSpec>();
  if (Status read = ReadScrape(config, labels, *spec); !read) return tl::unexpected(read.error());
  if (Status read = ReadPublicLabels(labels, *spec); !read) return tl::unexpected(read.error());
  spec->url = TargetUrl(labels, config.params);
  spec->unix_socket = labels.Get(kUnixSocket);
  spec->key = TargetKey(*spec);
  return spec;
}

Labels DiscoveredLabels(const ScrapeConfig& config, const std::string& address,
                        const Labels& group_labels) {
  Labels labels = group_labels;
  labels.Set(kAddress, address);  // also an empty one hides the group's
  const auto set_default = [&labels](std::string_view name, std::string_view value) {
    if (!labels.Has(name)) labels.Set(name, value);
  };
  set_default("job", config.job_name);
  set_default(kInterval, FormatDuration(config.scrape_interval));
  set_default(kTimeout, FormatDuration(config.scrape_timeout));
  set_default(kMetricsPath, config.metrics_path);
  set_default(kScheme, config.scheme);
  const auto set_flag = [&](std::string_view name, bool value) {
    set_default(name, value ? "true" : "false");
  };
  set_flag(kConvertClassic, config.convert_classic_histograms_to_nhcb);
  set_flag(kKeepClassic, config.always_scrape_classic_histograms);
  set_flag(kNative, config.scrape_native_histograms);
  for (const auto& [name, values] : config.params) {
    if (!values.empty()) set_default(std::string(kParamPrefix) + name, values.front());
  }
  return labels;
}

std::string TargetUrl(const Labels& labels,
                      const std::map<std::string, std::vector<std::string>>& params) {
  std::map<std::string, std::vector<std::string>> query = params;
  for (const Label& label : labels) {
    if (!label.name.starts_with(kParamPrefix)) continue;
    std::vector<std::string>& values = query[label.name.substr(kParamPrefix.size())];
    if (values.empty()) values.emplace_back();
    values.front() = label.value;
  }
  return JoinUrl(labels.Get(kScheme), labels.Get(kAddress), labels.Get(kMetricsPath),
                 EncodeQuery(query));
}

BuiltTargets BuildTargets(const ScrapeConfig& config, const std::vector<TargetGroup>& groups,
                          const RelabelRules& rules) {
  const size_t dropped_max =
      config.keep_dropped_targets == 0 ? kDroppedTargetsKept : config.keep_dropped_targets;
  BuiltTargets built;
  std::unordered_set<uint64_t> keys;
  for (const TargetGroup& group : groups) {
    for (size_t i = 0; i < group.targets.size(); i++) {
      Labels discovered = DiscoveredLabels(config, group.targets[i], group.labels);
      auto target = BuildTarget(config, rules, discovered);
      if (!target) {
        built.errors.push_back("instance " + std::to_string(i) + " in group " + group.source +
                               ": " + target.error().message);
      } else if (*target == nullptr) {
        built.dropped_count++;
        if (built.dropped.size() < dropped_max) built.dropped.push_back(std::move(discovered));
      } else if (keys.insert((*target)->key).second) {
        PackLabels(discovered, (*target)->discovered_labels);
        (*target)->discovered_labels.shrink_to_fit();
        built.active.push_back(std::move(*target));
      }
    }
  }
  return built;
}

nanoseconds ScrapeOffset(uint64_t target_key, uint64_t seed, milliseconds interval,
                         int64_t wall_ns) {
  CHECK(interval.count() > 0);
  const int64_t period = nanoseconds(interval).count();
  const int64_t phase = ((wall_ns % period) + period) % period;  // clocks before 1970 exist
  const auto offset = static_cast<int64_t>((target_key ^ seed) % static_cast<uint64_t>(period));
  int64_t next = period - phase + offset;
  if (next > period) next -= period;
  return nanoseconds(next);
}

uint64_t OffsetSeed(std::string_view hostname, const Labels& external_labels) {
  Labels identity = external_labels;
  identity.Set("__hostname__", hostname);
  return identity.Hash();
}

}  // namespace tributary
