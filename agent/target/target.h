// Targets: what discovery found, relabelled and checked, ready to be scraped.
// Follows prometheus/prometheus scrape/target.go and scrape/scrape.go (3.16).
//
// Plain values and pure functions: no clock, no input or output, any thread. A TargetSpec is
// immutable and shared as shared_ptr<const>.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/target/histogram_mode.h"
#include "common/base/status.h"
#include "common/base/time.h"
#include "common/config/model.h"
#include "common/labels/labels.h"
#include "common/relabel/relabel.h"

namespace tributary {

struct TargetSpec {
  std::string discovered_labels;  // PackLabels; before relabeling, for people
  Labels labels;                  // of every series of the target: no name begins with "__"
  // As Go prints it. The scheme is what __scheme__ held, in whatever case; without one the URL
  // begins with "//" and cannot be scraped, so a transport that guesses a scheme must not be asked
  // to.
  std::string url;
  std::string unix_socket;  // of __unix_socket__; "": where the URL says
  milliseconds interval{0};
  milliseconds timeout{0};  // at most the interval
  HistogramMode histograms;
  // Identity: a hash of `labels`, `url` and `unix_socket`, the same in every run and on every
  // machine. Two specs
  // of one key write the same series; they may still differ in interval, timeout and discovered
  // labels.
  uint64_t key = 0;
  bool operator==(const TargetSpec&) const = default;
};

// How many dropped targets are kept for display when keep_dropped_targets sets no bound.
inline constexpr size_t kDroppedTargetsKept = 1000;

struct BuiltTargets {
  // In the order of the groups; each key once. target_limit is not applied.
  std::vector<std::shared_ptr<const TargetSpec>> active;
  // Discovered labels of what relabeling dropped: the first keep_dropped_targets, or
  // kDroppedTargetsKept.
  std::vector<Labels> dropped;
  size_t dropped_count = 0;  // exact
  // One for each target that is not usable ("instance 3 in group /sd.yml:0: no address"):
  // prometheus_target_sync_failed_total counts them.
  std::vector<std::string> errors;
};

// `rules` are those of config.relabel_configs.
//
// Of targets whose public labels and URL agree, the first is kept. Prometheus also keeps apart
// those that differ in nothing but "__" labels and then scrapes the same series twice; here that
// would break the order of those series.
BuiltTargets BuildTargets(const ScrapeConfig& config, const std::vector<TargetGroup>& groups,
                          const RelabelRules& rules);

// The target that `labels`, as relabeling left them, stand for; its discovered labels are for the
// caller to fill in. An error if they make no target ("no address").
Result<std::shared_ptr<TargetSpec>> MakeTarget(const ScrapeConfig& config, const Labels& labels);

// What a target's labels are before relabeling: `address` and the group's labels, then what the
// configuration says where those are silent.
Labels DiscoveredLabels(const ScrapeConfig& config, const std::string& address,
                        const Labels& group_labels);

// The URL that `labels` (after relabeling, "__" labels included) and `params` stand for, escaped
// as Go's net/url does it: a '?' in the path becomes %3F, queries are sorted by key.
std::string TargetUrl(const Labels& labels,
                      const std::map<std::string, std::vector<std::string>>& params);

// Spreads the targets over their interval: time until the next moment at which the target is due,
// above 0 and up to the interval, pinned to the wall clock so that it is the same after a restart.
// `interval` > 0.
nanoseconds ScrapeOffset(uint64_t target_key, uint64_t seed, milliseconds interval,
                         int64_t wall_ns);

// Makes replicas of one agent scrape at different moments.
uint64_t OffsetSeed(std::string_view hostname, const Labels& external_labels);

}  // namespace tributary
