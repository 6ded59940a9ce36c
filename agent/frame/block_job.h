// Compiles a block, some series at a turn.
//
// Source: the general path's encoders (common/wire/remote_write.h, remote_write_v2.h), whose bytes
// these are, but that values and times are always there, also where they are zero.
//
// One thread. Work of a turn is bounded by the number of series that it may take, each of which
// costs some microsecond at most (labels of some 60 kB excepted: a fraction of a millisecond).
// Memory: the labels it was given, and the compressor's scratch.
#pragma once

#include <cstdint>
#include <string>

#include "agent/frame/frame_block.h"
#include "agent/frame/frame_symbols.h"
#include "agent/frame/hole_compressor.h"

namespace tributary {

struct BlockSource {
  // [varint length][encoded labels (EncodeLabels of common/wire)] for each series of [begin, end)
  // of the group; length 0: the remote does not send it. Labels are final: external labels added,
  // write_relabel_configs applied.
  std::string encoded;
  uint32_t begin = 0;
  uint32_t end = 0;  // 250 more at most
  FrameTimes times = FrameTimes::kShared;
  // Which series to compile, if they have labels, counted from `begin`: those that are there.
  BlockBits wanted = {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
  // Of the group; in remote write 2.0 only. Null: nothing is known.
  std::shared_ptr<const SeriesMetadata> metadata = nullptr;
  std::shared_ptr<const StartTimes> starts = nullptr;
};

class BlockJob {
 public:
  // The compressor is the job's until it is destroyed. `symbols` null: remote write 1.0; else the
  // block may be sent once they are committed. Both outlive the job.
  BlockJob(HoleCompressor& compressor, BlockSource source, SymbolWriter* symbols = nullptr);
  BlockJob(const BlockJob&) = delete;
  BlockJob& operator=(const BlockJob&) = delete;

  // Compiles up to so many series. True: it is done.
  bool Advance(uint32_t series_max);
  // Once it is done. Null: there is no series to compile, or they are beyond what a block can hold
  // (hole_compressor.h), and go by the general path for good.
  BlockRef Take();

 private:
  bool Add(uint32_t series, std::string_view labels);
  bool AddV1(std::string_view labels);
  bool AddV2(uint32_t series, std::string_view labels);

  HoleCompressor& compressor_;
  BlockSource source_;
  SymbolWriter* const symbols_;
  BlockBits members_{};
  std::string_view rest_;  // of source_.encoded
  uint32_t next_ = 0;      // series from source_.begin on
  bool failed_ = false;
  bool has_starts_ = false;
  std::string head_, tail_, refs_, metadata_;  // scratch
};

}  // namespace tributary
