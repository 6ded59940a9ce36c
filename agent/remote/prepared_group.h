// A group as one remote sends it: external labels added, write_relabel_configs applied, once.
//
// The series are cut into chunks, the unit of order and of sending: every series is in one chunk
// for as long as the group lives. What a chunk sends is kept compressed: its labels, or instead of
// them a frame's block (agent/frame) that has them all, or both. But for blocks immutable; one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/frame/block_bits.h"
#include "agent/frame/frame_block.h"
#include "agent/remote/series_share.h"
#include "agent/series/group_definition.h"
#include "common/labels/labels.h"
#include "common/relabel/relabel.h"

namespace tributary {

// What a remote does to labels. Immutable.
struct RemoteRules {
  // Unique within the process.
  uint64_t id = 0;
  Labels external_labels;
  RelabelRules write_relabel;
  NameValidation name_validation = NameValidation::kUtf8;  // of write_relabel
  // Series a chunk, at most.
  uint32_t chunk_series = 250;
};

// Of equal names the series' own counts.
void AddExternalLabels(const Labels& external_labels, Labels& labels);

class RemoteQuota;

class PreparedGroup {
 public:
  // `share`: which of the series are the remote's; `quota`: which of those that the rules keep have
  // room. Null: all.
  PreparedGroup(const GroupDefinition& group, const RemoteRules& rules,
                const SeriesShare* share = nullptr, RemoteQuota* quota = nullptr);

  uint32_t chunks() const { return static_cast<uint32_t>(chunks_.size()); }
  // The series [begin, end) of the group are in chunk `i`.
  uint32_t begin(uint32_t chunk) const { return chunk * chunk_series_; }
  uint32_t end(uint32_t chunk) const;
  // Whether the series is the remote's, and its rules keep it.
  bool keeps(uint32_t series) const { return (kept_[series / 64] >> (series % 64)) & 1; }
  bool keeps_all() const { return kept_count_ == series_; }
  uint32_t kept_count() const { return kept_count_; }
  bool keeps_none() const { return kept_count_ == 0; }
  uint64_t kept_word(size_t word) const { return kept_[word]; }
  // Bitmaps of those that are not: they are other remotes', or the rules keep them and they are
  // over the remote's limit. Empty: none is.
  const std::vector<uint64_t>& elsewhere() const { return elsewhere_; }
  const std::vector<uint64_t>& over_limit() const { return over_limit_; }
  // The encoded labels (common/wire) of the series of a chunk, by their number less begin(chunk);
  // of series that are not kept: empty. `buffer` holds what the views point into.
  void Encoded(uint32_t chunk, std::string& buffer, std::vector<std::string_view>& labels) const;
  // Of the encoded labels, on average and rounded up.
  uint64_t bytes_per_series(uint32_t chunk) const { return chunks_[chunk].bytes_per_series; }

  // Of a chunk of 250 series at most: those that are kept, counted from begin(chunk).
  BlockBits kept(uint32_t chunk) const { return BitsOf(kept_, begin(chunk), end(chunk)); }
  // Null: none has been compiled.
  const BlockRef& block(uint32_t chunk) const { return chunks_[chunk].block; }
  // One of some of the chunk's series, in place of the one before. Of remote write 1.0 it costs
  // some 0.1 ms if it has not all that are kept and the one before has: the labels are then written
  // out again. Beside one of 2.0 they always stay, as it has numbers in their place.
  void SetBlock(uint32_t chunk, BlockRef block);

  // All, and of these what blocks take: of those that are shared its part.
  size_t memory_bytes() const;
  size_t frame_bytes() const;

 private:
  struct Chunk {
    // Snappy of [varint length][encoded labels] for each series; empty: the block has them all.
    std::string labels;
    BlockRef block;
    uint32_t bytes_per_series = 0;
  };

  // What is compressed in Chunk::labels.
  void Inflate(const Chunk& chunk, std::string& buffer) const;

  uint32_t series_;
  uint32_t chunk_series_;
  uint32_t kept_count_ = 0;
  std::vector<uint64_t> kept_;
  std::vector<uint64_t> elsewhere_, over_limit_;
  std::vector<Chunk> chunks_;
};

}  // namespace tributary
