#include "agent/frame/frame_block.h"

#include <snappy.h>

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "agent/frame/frame_time.h"
#include "common/base/assert.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

constexpr size_t kWideCopy = 32;

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
      bytes_(static_cast<uint32_t>(output.bytes.size() - series_ * kValueBytes)) {
  CHECK(series_ > 0 && output.holes.size() == series_);
  auto parts = std::make_unique_for_overwrite<uint16_t[]>(series_ + (bytes_ + kWideCopy + 1) / 2);
  auto* to = reinterpret_cast<char*>(parts.get() + series_);
  const char* from = output.bytes.data();
  for (size_t i = 0; i < series_; i++) {
    parts[i] = static_cast<uint16_t>(output.holes[i] - (i == 0 ? 0 : kValueBytes));
    std::memcpy(to, from, parts[i]);
    to += parts[i];
    from += parts[i] + kValueBytes;
  }
  const auto tail = static_cast<size_t>(output.bytes.data() + output.bytes.size() - from);
  std::memcpy(to, from, tail);
  std::memset(to + tail, 0, kWideCopy);
  parts_ = std::move(parts);
}

char* FrameBlock::AppendBytes(std::span<const double> values, std::string& out) const {
  CHECK(values.size() == series_);
  const size_t begin = out.size();
  out.resize(begin + wire_bytes());
  const char* from = bytes();
  char* to = out.data() + begin;
  const char* const end = out.data() + out.size();
  for (size_t i = 0; i < series_; i++) {
    const size_t size = holes()[i];
    // A copy of fixed size is a few instructions: what it writes beyond is written again.
    if (size <= kWideCopy && to + kWideCopy <= end) {
      std::memcpy(to, from, kWideCopy);
    } else {
      std::memcpy(to, from, size);
    }
    from += size;
    to += size;
    PutValue(values[i], to);
    to += kValueBytes;
  }
  std::memcpy(to, from, static_cast<size_t>(end - to));
  return out.data() + begin;
}

void FrameBlock::Append(std::span<const double> values, TimestampMs timestamp,
                        std::string& out) const {
  CHECK(origin_.times == FrameTimes::kShared && FitsFrame(timestamp));
  PutFrameTime(timestamp, AppendBytes(values, out) + holes()[0] + kTimeFromValue);
}

void FrameBlock::AppendOwn(std::span<const double> values, std::span<const TimestampMs> timestamps,
                           std::string& out) const {
  CHECK(timestamps.size() == series_ && origin_.times == FrameTimes::kOwn);
  char* at = AppendBytes(values, out);
  for (size_t i = 0; i < values.size(); i++) {
    DCHECK(FitsFrame(timestamps[i]));
    at += holes()[i];
    PutFrameTime(timestamps[i], at + kTimeFromValue);
    at += kValueBytes;
  }
}

void FrameBlock::Inflate(std::string& raw) const {
  constexpr std::array<double, kBlockEntriesMax> kZeros{};
  std::string stream;
  PutVarint(stream, raw_bytes_);
  AppendBytes(std::span(kZeros).first(series_), stream);
  CHECK(snappy::Uncompress(stream.data(), stream.size(), &raw));
}

size_t FrameBlock::memory_bytes() const {
  return sizeof(*this) + series_ * sizeof(uint16_t) + bytes_ + kWideCopy;
}

}  // namespace tributary
