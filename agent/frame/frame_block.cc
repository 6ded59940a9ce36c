#include "agent/frame/frame_block.h"

#include <snappy.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "agent/frame/frame_time.h"
#include "common/base/assert.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

// Minus zero goes out as zero: the general path leaves both away, as Prometheus does.
void PutValue(double value, char* at) {
  constexpr uint64_t kMinusZero = uint64_t{1} << 63;
  auto bits = std::bit_cast<uint64_t>(value);
  if (bits == kMinusZero) bits = 0;
  if constexpr (std::endian::native == std::endian::big) bits = __builtin_bswap64(bits);
  std::memcpy(at, &bits, sizeof bits);
}

}  // namespace

FrameBlock::FrameBlock(BlockOrigin origin, HoleCompressor::Output output)
    : origin_(std::move(origin)),
      series_(CountBits(origin_.members)),
      raw_bytes_(output.raw_bytes),
      bytes_(std::move(output.bytes)) {
  CHECK(series_ > 0 && output.holes.size() == series_);
  bytes_.shrink_to_fit();
  auto holes = std::make_unique_for_overwrite<uint16_t[]>(series_);
  std::copy(output.holes.begin(), output.holes.end(), holes.get());
  holes_ = std::move(holes);
}

char* FrameBlock::AppendBytes(std::string& out) const {
  const size_t at = out.size();
  out += bytes_;
  return out.data() + at;
}

void FrameBlock::Append(std::span<const double> values, TimestampMs timestamp,
                        std::string& out) const {
  CHECK(values.size() == series_ && origin_.times == FrameTimes::kShared && FitsFrame(timestamp));
  char* at = AppendBytes(out);
  PutFrameTime(timestamp, at + holes_[0] + kTimeFromValue);
  for (size_t i = 0; i < values.size(); i++) {
    at += holes_[i];
    PutValue(values[i], at);
  }
}

void FrameBlock::AppendOwn(std::span<const double> values, std::span<const TimestampMs> timestamps,
                           std::string& out) const {
  CHECK(values.size() == series_ && timestamps.size() == series_ &&
        origin_.times == FrameTimes::kOwn);
  char* at = AppendBytes(out);
  for (size_t i = 0; i < values.size(); i++) {
    DCHECK(FitsFrame(timestamps[i]));
    at += holes_[i];
    PutValue(values[i], at);
    PutFrameTime(timestamps[i], at + kTimeFromValue);
  }
}

void FrameBlock::Inflate(std::string& raw) const {
  std::string stream;
  stream.reserve(bytes_.size() + 5);
  PutVarint(stream, raw_bytes_);
  stream += bytes_;
  CHECK(snappy::Uncompress(stream.data(), stream.size(), &raw));
}

size_t FrameBlock::memory_bytes() const {
  return sizeof(*this) + bytes_.capacity() + series_ * sizeof(uint16_t);
}

}  // namespace tributary
