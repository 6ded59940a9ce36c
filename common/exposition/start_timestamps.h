// Start timestamps of series from OpenMetrics' `_created` lines, in one pass over the page.
//
// Prometheus (3.16, openmetricsparse.go: StartTimestamp) looks at `_created` only under the feature
// flags created-timestamp-zero-ingestion and st-storage; without them these lines are ordinary
// series and nothing here is called. With one of them:
//   - every series whose name ends in _created, and that follows a TYPE line of counter, histogram
//     or summary (whatever family that names), is hidden: it is parsed, but is no sample and counts
//     as none (IsCreatedSeries). After other types it stays an ordinary series.
//   - a sample after a TYPE line of these three gets the value of the first _created line behind
//   it,
//     if no TYPE, HELP or UNIT line stands between, and if both have the same key: the labels' text
//     in the order of the page, without `le` of histograms and `quantile` of summaries, and the
//     name. Of the _created line that is the name without _created; of the sample the first bytes
//     of its name, as many as the family's name has in the last TYPE, HELP or UNIT line (so for all
//     of foo_total, foo_bucket, foo_count, foo_sum and foo it is foo). Another key: no start.
//   - the last start found is remembered with its key, and holds for samples behind the _created
//     line too, until a sample with another key finds none, or a sample of another type comes.
//   - so a _created line that stands before all of its samples is not found.
// Only samples that are appended count: not those dropped by relabeling, nor the second of a series
// on a page that has no timestamp of its own.
//
// Prometheus looks ahead; here samples wait for the line that decides, at most as many as a family
// has. Not thread-safe; one for each page under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/hash.h"
#include "common/base/time.h"

namespace tributary {

// `type` is the word of the last TYPE line, `series` a text of ParseOpenMetricsLine.
bool IsCreatedSeries(std::string_view series, std::string_view type);

// The keys of a sample's series, and of a series for which IsCreatedSeries holds. They stay the
// same as long as text, type and the length of the family's name do. No allocation for usual lines.
// Nothing where no _created line could match: another type, or a family's name longer than what the
// series' text has from its own name on (Prometheus goes on in the next line there, or panics).
std::optional<uint64_t> StartTimestampKey(std::string_view series, std::string_view type,
                                          size_t family_bytes, const HashKey& hash);
std::optional<uint64_t> CreatedKey(std::string_view series, std::string_view type,
                                   const HashKey& hash);

class StartTimestamps {
 public:
  struct Found {
    uint32_t sample;
    TimestampMs start;  // never 0, which is "unknown"
  };

  // In page order. `sample` is the caller's number for it.
  void TakeSample(uint32_t sample, std::optional<uint64_t> key);
  // `value` is the _created line's value.
  void TakeCreated(std::optional<uint64_t> key, double value);
  // A TYPE, HELP or UNIT line, or the end of the page: nothing waits beyond it.
  void TakeMetadata();

  // Starts found since the last Clear, in page order.
  const std::vector<Found>& found() const { return found_; }
  void ClearFound() { found_.clear(); }
  // For the next page.
  void Reset();

 private:
  struct Waiting {
    uint32_t sample;
    std::optional<uint64_t> key;
  };

  bool IsRemembered(const std::optional<uint64_t>& key) const;

  std::vector<Waiting> waiting_;
  std::vector<Found> found_;
  std::optional<uint64_t> remembered_key_;
  TimestampMs remembered_start_ = 0;
};

}  // namespace tributary
