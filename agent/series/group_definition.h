// A group: up to 500 series of one target whose samples are logged, sent and compiled together.
//
// The definition is the truth about the labels of its series: after metric relabeling, before
// external_labels and write_relabel_configs. It is immutable and kept compressed, as it is needed
// only when a remote prepares the group and when somebody asks. Shared within one worker's thread,
// and read by threads that have a snapshot of its samples (agent/latest).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/pack_labels.h"

namespace tributary {

inline constexpr size_t kGroupSeriesMax = 500;

class GroupDefinition {
 public:
  // `packed` holds PackLabels of each series, at most kGroupSeriesMax.
  GroupDefinition(uint64_t target_key, uint64_t generation,
                  const std::vector<std::string_view>& packed);
  // From what compressed() gave, perhaps to another process; an error if it is not that.
  static Result<std::shared_ptr<const GroupDefinition>> FromCompressed(uint64_t target_key,
                                                                       uint64_t generation,
                                                                       uint32_t series,
                                                                       std::string_view compressed);

  uint64_t target_key() const { return target_key_; }
  // Another one for each regrouping of the target: samples of one are sent after those of the last,
  // in the order of the log.
  uint64_t generation() const { return generation_; }
  // Unique within the process.
  uint64_t id() const { return id_; }
  uint32_t series() const { return series_; }

  // The packed labels of all series, in order. `buffer` holds what the views point into.
  std::vector<std::string_view> Packed(std::string& buffer) const;
  std::vector<Labels> Decode() const;
  const std::string& compressed() const { return compressed_; }
  size_t memory_bytes() const { return sizeof(*this) + compressed_.capacity(); }

 private:
  GroupDefinition(uint64_t target_key, uint64_t generation, uint32_t series,
                  std::string compressed);

  uint64_t target_key_;
  uint64_t id_;
  uint64_t generation_;
  uint32_t series_;
  // Snappy of [varint bytes shared with the series before][varint length][the rest of packed] for
  // each series.
  std::string compressed_;
};

using GroupRef = std::shared_ptr<const GroupDefinition>;

// Goes over the packed labels of a group's series, in order, one at a time: where few of them are
// looked at, or none but their ends. Keeps its memory from group to group; one thread.
class PackedCursor {
 public:
  // Before the first series. The group must not go before the cursor moves on to another.
  void Begin(const GroupDefinition& group);
  // The next one, until the next call; false: that was all.
  bool Next(std::string_view& packed);

 private:
  std::string raw_;
  std::string_view rest_;
  std::string packed_;
};

}  // namespace tributary
