// The series of aggregates as a source in the sample log: like a target that is scraped, with
// places, groups and generations (agent/layout). There is one for each partition of the log, so
// that a series has the same one in every process, whatever the number of workers.
//
// Series are known by numbers. Those that are gone leave when the source is sorted anew, which
// makes the next generation. Bounds: some 150 bytes a series beside its definition. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/layout/layout_builder.h"
#include "agent/layout/scrape_buffer.h"
#include "agent/layout/target_layout.h"
#include "agent/log/log_format.h"
#include "agent/series/samples.h"

namespace tributary {

// A float, or a native histogram as HistogramSample has it.
struct OutputValue {
  double number = 0;
  std::shared_ptr<const std::string> histogram = nullptr;  // null: it is a float
  bool custom_buckets = false;
};

class OutputSource {
 public:
  // By which the log, and who reads it, tells the source apart; `partition` of the log.
  static uint64_t KeyOf(uint32_t partition);
  static bool IsKey(uint64_t target_key) { return target_key - KeyOf(0) < kLogPartitions; }

  explicit OutputSource(uint32_t partition);

  // The number of the series with these labels (PackLabels). Whoever adds it takes it away again;
  // while several have added it, it is theirs together.
  uint32_t Add(const std::string& packed);
  void Remove(uint32_t series);

  // For the next Commit. False: the series has a sample of that time or a later one.
  bool Put(uint32_t series, TimestampMs time, OutputValue value);
  // What was put, a commit for each time, by time.
  std::vector<Commit> TakeCommits();

  size_t series() const { return numbers_.size(); }
  size_t memory_bytes() const;

 private:
  struct Series {
    std::string packed;
    uint32_t place = TargetLayout::kNoPlace;
    uint32_t users = 0;
    TimestampMs last_time = LastTimes::kNever;
  };
  struct Sample {
    TimestampMs time;
    uint32_t series;
    OutputValue value;
  };

  void PlaceNew();
  void SortAnew();
  void ForgetLeaving();

  const uint64_t key_;
  std::unique_ptr<TargetLayout> layout_;
  std::unique_ptr<LayoutBuilder> builder_;
  std::deque<Series> all_;  // stay where they are
  std::vector<uint32_t> free_;
  std::unordered_map<std::string_view, uint32_t> numbers_;  // of what lies in all_
  std::vector<uint32_t> unplaced_;
  std::vector<uint32_t> leaving_;  // with the next commit
  size_t gone_ = 0;                // in the layout
  std::vector<Sample> samples_;
  ScrapeBuffer buffer_;
};

}  // namespace tributary
