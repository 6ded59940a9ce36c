// A group as one remote sends it: external labels added, write_relabel_configs applied, once.
//
// The series are cut into chunks, the unit of order and of sending: every series is in one chunk
// for as long as the group lives. What a chunk sends is kept compressed. Immutable; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/series/group_definition.h"
#include "common/labels/labels.h"
#include "common/relabel/relabel.h"

namespace tributary {

// What a remote does to labels. Immutable.
struct RemoteRules {
  Labels external_labels;
  RelabelRules write_relabel;
  NameValidation name_validation = NameValidation::kUtf8;  // of write_relabel
  // Series a chunk, at most.
  uint32_t chunk_series = 250;
};

// Of equal names the series' own counts.
void AddExternalLabels(const Labels& external_labels, Labels& labels);

class PreparedGroup {
 public:
  PreparedGroup(const GroupDefinition& group, const RemoteRules& rules);

  uint32_t chunks() const { return static_cast<uint32_t>(chunks_.size()); }
  // The series [begin, end) of the group are in chunk `i`.
  uint32_t begin(uint32_t chunk) const { return chunk * chunk_series_; }
  uint32_t end(uint32_t chunk) const;
  // Whether the remote's rules keep the series.
  bool keeps(uint32_t series) const { return (kept_[series / 64] >> (series % 64)) & 1; }
  bool keeps_all() const { return kept_count_ == series_; }
  bool keeps_none() const { return kept_count_ == 0; }
  uint64_t kept_word(size_t word) const { return kept_[word]; }
  // The encoded labels (common/wire) of the series of a chunk, by their number less begin(chunk);
  // of series that are not kept: empty. `buffer` holds what the views point into.
  void Encoded(uint32_t chunk, std::string& buffer, std::vector<std::string_view>& labels) const;
  // Of the encoded labels, on average and rounded up.
  uint64_t bytes_per_series(uint32_t chunk) const { return bytes_per_series_[chunk]; }
  size_t memory_bytes() const;

 private:
  uint32_t series_;
  uint32_t chunk_series_;
  uint32_t kept_count_ = 0;
  std::vector<uint64_t> kept_;
  std::vector<uint32_t> bytes_per_series_;
  std::vector<std::string> chunks_;  // snappy of [varint length][encoded labels] for each series
};

}  // namespace tributary
