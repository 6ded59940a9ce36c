// A block: up to 250 series of a group as finished, snappy-compressed bytes of a remote write
// request, with holes for values and times. To send it is to copy the bytes and to fill the holes.
//
// The bytes are snappy elements that refer to nothing before them: any blocks of remote write 1.0,
// in any order, and whatever else was compressed on its own, make one request (frame_request.h).
// Blocks of 2.0 refer to the symbols of one table (frame_symbols.h) and go with that only.
//
// Immutable, shared within one worker's thread. Memory: the bytes but for the values', two bytes a
// series, and a fixed part.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/frame/block_bits.h"
#include "agent/frame/hole_compressor.h"
#include "agent/series/samples.h"
#include "common/base/time.h"

namespace tributary {

// What a block was compiled from, so that one can say whether it still fits.
struct BlockOrigin {
  // The block is of the series [begin, end) of its group, and of these, counted from `begin`, has
  // `members`: the others are dropped by the remote's rules, or were not there.
  uint32_t begin = 0;
  uint32_t end = 0;
  BlockBits members{};
  FrameTimes times = FrameTimes::kShared;
  // Of 2.0; in 1.0 the rest is as it is here.
  uint64_t table = 0;    // id of the symbols
  uint32_t symbols = 0;  // how many of them it needs at least
  // Constants in the bytes. Start times are those of the samples that are no stale markers.
  std::shared_ptr<const SeriesMetadata> metadata;
  std::shared_ptr<const StartTimes> starts;

  bool is_v2() const { return table != 0; }
};

class FrameBlock {
 public:
  FrameBlock(BlockOrigin origin, HoleCompressor::Output output);

  const BlockOrigin& origin() const { return origin_; }
  // How many samples it takes: one for each member.
  uint32_t series() const { return series_; }
  // What it adds to a request, and to the length that the request says it has when inflated.
  size_t wire_bytes() const { return bytes_ + series_ * kValueBytes; }
  uint32_t raw_bytes() const { return raw_bytes_; }

  // Appends the bytes with a value for each member, in their order, and the time of all (of a block
  // with a shared one), which has to fit (frame_time.h). Allocates nothing if `out` has room.
  void Append(std::span<const double> values, TimestampMs timestamp, std::string& out) const;
  // The same with a time for each value, of a block whose series have their own.
  void AppendOwn(std::span<const double> values, std::span<const TimestampMs> timestamps,
                 std::string& out) const;

  // The bytes, inflated; zeros where values are, and no times.
  void Inflate(std::string& raw) const;

  // On the heap and of the object.
  size_t memory_bytes() const;

 private:
  // Where the values go each: how far behind the one before, less its size.
  const uint16_t* holes() const { return parts_.get(); }
  const char* bytes() const { return reinterpret_cast<const char*>(parts_.get() + series_); }
  // Bytes and values; returns where they begin.
  char* AppendBytes(std::span<const double> values, std::string& out) const;

  BlockOrigin origin_;
  uint32_t series_;
  uint32_t raw_bytes_;
  uint32_t bytes_;
  // holes(), bytes() without the values between them, and room to read beyond.
  std::unique_ptr<const uint16_t[]> parts_;
};

using BlockRef = std::shared_ptr<const FrameBlock>;

}  // namespace tributary
