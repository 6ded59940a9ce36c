#include "agent/frame/hole_compressor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/assert.h"
#include "common/base/hash.h"

namespace tributary {

namespace {

constexpr size_t kOffsetMax = 65'535;
constexpr size_t kLiteralMax = 65'536;
constexpr size_t kCopyMax = 64;
// The short form of a copy: 2 bytes.
constexpr size_t kShortCopyMin = 4, kShortCopyMax = 11, kShortOffsetMax = 2'047;
// A copy that interrupts a literal costs the tag of another literal.
constexpr int kGainMin = 2;
// A match so good is taken without looking for a better one.
constexpr size_t kGoodMatch = 32;
constexpr size_t kRememberEvery = 8;
constexpr uint32_t kNone = ~uint32_t{0};

// Where the times will be; equal in all entries, so that one matches another.
constexpr char kTimePlaceholder[] = "\x10\x80\x80\x80\x80\x80\x01";
static_assert(sizeof kTimePlaceholder - 1 == 1 + kTimeBytes);

uint32_t Load32(const char* at) {
  uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

uint64_t Load64(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// How many of the first `limit` bytes are equal.
size_t EqualBytes(const char* a, const char* b, size_t limit) {
  size_t n = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; n + 8 <= limit; n += 8) {
      const uint64_t difference = Load64(a + n) ^ Load64(b + n);
      if (difference != 0) return n + static_cast<size_t>(std::countr_zero(difference)) / 8;
    }
  }
  while (n < limit && a[n] == b[n]) n++;
  return n;
}

bool IsShort(size_t offset, size_t size) {
  return size >= kShortCopyMin && size <= kShortCopyMax && offset <= kShortOffsetMax;
}

// Calls f(size) for the copies that a match is made of. The last may be of the short form.
template <typename F>
void ForEachCopy(size_t size, F f) {
  for (; size >= kCopyMax + kShortCopyMin; size -= kCopyMax) f(kCopyMax);
  if (size > kCopyMax) {
    f(kCopyMax - kShortCopyMin);
    size -= kCopyMax - kShortCopyMin;
  }
  f(size);
}

int GainOf(size_t offset, size_t size) {
  int gain = static_cast<int>(size);
  ForEachCopy(size, [&](size_t copy) { gain -= IsShort(offset, copy) ? 2 : 3; });
  return gain;
}

}  // namespace

void HoleCompressor::Begin(FrameTimes times) {
  times_ = times;
  raw_.clear();
  value_at_.clear();
  table_.assign(size_t{1} << kTableBits, kNone);
  segment_by_key_ = {};
  segment_ = scanned_ = matchable_ = literal_begin_ = next_hole_ = last_hole_at_ = 0;
  last_ = Match();
  out_ = Output();
}

void HoleCompressor::Release() {
  // To assign nothing would only empty them.
  std::string().swap(raw_);
  std::vector<uint32_t>().swap(value_at_);
  std::vector<uint32_t>().swap(table_);
  std::string().swap(out_.bytes);
  std::vector<uint16_t>().swap(out_.holes);
}

size_t HoleCompressor::memory_bytes() const {
  return sizeof(*this) + raw_.capacity() + value_at_.capacity() * sizeof(uint32_t) +
         table_.capacity() * sizeof(uint32_t) + out_.bytes.capacity() +
         out_.holes.capacity() * sizeof(uint16_t);
}

bool HoleCompressor::Add(std::string_view head, size_t key_bytes, std::string_view tail) {
  const size_t size = head.size() + kTimeFromValue + kTimeBytes + tail.size();
  if (value_at_.size() == kBlockEntriesMax || size > kEntryBytesMax ||
      tail.size() > kTailBytesMax || raw_.size() + size > kBlockBytesMax) {
    return false;
  }
  if (raw_.size() - literal_begin_ + size > kLiteralMax) FlushLiteral(scanned_);
  raw_ += head;
  segment_ = value_at_.size();
  value_at_.push_back(static_cast<uint32_t>(raw_.size()));
  Compress(StableHash(head.substr(0, key_bytes)) % kNoKey, raw_.size());
  scanned_ = raw_.size() + kValueBytes;
  // The first time is literal, others only where each entry has its own.
  if (segment_ == 0 || times_ == FrameTimes::kOwn) scanned_ += 1 + kTimeBytes;
  raw_.append(kValueBytes, '\0');
  raw_.append(kTimePlaceholder, sizeof kTimePlaceholder - 1);
  raw_ += tail;
  return true;
}

HoleCompressor::Output HoleCompressor::Finish() {
  CHECK(!value_at_.empty());
  segment_ = value_at_.size();
  Compress(kNoKey, raw_.size());
  FlushLiteral(raw_.size());
  CHECK(next_hole_ == value_at_.size());
  out_.raw_bytes = static_cast<uint32_t>(raw_.size());
  return std::move(out_);
}

size_t HoleCompressor::EndOf(size_t segment) const {
  return segment < value_at_.size() ? value_at_[segment] : raw_.size();
}

size_t HoleCompressor::StartOf(size_t segment) const {
  const size_t behind_value = value_at_[segment - 1] + kValueBytes;
  return times_ == FrameTimes::kShared ? behind_value : behind_value + 1 + kTimeBytes;
}

void HoleCompressor::Compress(size_t key, size_t end) {
  size_t at = scanned_;
  last_ = {};
  matchable_ = segment_ == 0 ? 0 : value_at_[segment_ - 1] + kTimeFromValue + kTimeBytes;
  if (segment_ >= 2) {
    const Match match = FindAtStart(key, at, end);
    if (match.size > 0) {
      Take(match, at, end);
      at += match.size;
    }
  }
  if (key != kNoKey) segment_by_key_[key] = static_cast<uint8_t>(segment_);
  while (at + kShortCopyMin <= end) {
    const Match match = Find(at, end);
    if (match.size > 0) Take(match, at, end);
    at += std::max<size_t>(match.size, 1);
  }
}

HoleCompressor::Match HoleCompressor::MatchFrom(size_t from, size_t segment, size_t at,
                                                size_t end) const {
  if (at - from > kOffsetMax) return {};
  const size_t limit = std::min(end - at, EndOf(segment) - from);
  const size_t size = EqualBytes(raw_.data() + from, raw_.data() + at, limit);
  if (size < kShortCopyMin) return {};
  return {at - from, size, segment, GainOf(at - from, size)};
}

// An entry is like the one before, or like the last one of its metric.
HoleCompressor::Match HoleCompressor::FindAtStart(size_t key, size_t at, size_t end) const {
  Match best = MatchFrom(StartOf(segment_ - 1), segment_ - 1, at, end);
  const size_t alike = key == kNoKey ? 0 : segment_by_key_[key];
  if (alike > 0) {
    const Match match = MatchFrom(StartOf(alike), alike, at, end);
    if (match.gain > best.gain) best = match;
  }
  if (times_ == FrameTimes::kOwn) return best.gain < kGainMin ? Match{} : best;
  CHECK(best.size > kTimeBytes);
  return best;
}

uint32_t& HoleCompressor::SlotOf(size_t at) {
  return table_[(Load32(raw_.data() + at) * 0x9e3779b1u) >> (32 - kTableBits)];
}

HoleCompressor::Match HoleCompressor::Find(size_t at, size_t end) {
  Match best;
  if (last_.size > 0 && at - last_.offset < EndOf(last_.segment)) {
    best = MatchFrom(at - last_.offset, last_.segment, at, end);
    if (best.size >= kGoodMatch) return best;
  }
  const uint32_t known = SlotOf(at);
  Remember(at);
  if (known != kNone) {
    const Match match = MatchFrom(known & 0xffffff, known >> 24, at, end);
    if (match.gain > best.gain) best = match;
  }
  return best.gain < kGainMin ? Match{} : best;
}

void HoleCompressor::Take(const Match& match, size_t at, size_t end) {
  FlushLiteral(at);
  ForEachCopy(match.size, [&](size_t size) { AppendCopy(match.offset, size); });
  literal_begin_ = at + match.size;
  last_ = match;
  for (size_t i = std::max(at, matchable_) + 1; i < at + match.size && i + kShortCopyMin <= end;
       i += kRememberEvery) {
    Remember(i);
  }
}

void HoleCompressor::FlushLiteral(size_t end) {
  const size_t size = end - literal_begin_;
  if (size == 0) return;
  CHECK(size <= kLiteralMax);
  std::string& out = out_.bytes;
  auto byte = [&](size_t value) { out += static_cast<char>(static_cast<uint8_t>(value)); };
  if (size <= 60) {
    byte((size - 1) << 2);
  } else if (size <= 256) {
    byte(60 << 2);
    byte(size - 1);
  } else {
    byte(61 << 2);
    byte((size - 1) & 255);
    byte((size - 1) >> 8);
  }
  for (; next_hole_ < value_at_.size() && value_at_[next_hole_] < end; next_hole_++) {
    const size_t at = out.size() + value_at_[next_hole_] - literal_begin_;
    CHECK(at - last_hole_at_ <= 65'535);
    out_.holes.push_back(static_cast<uint16_t>(at - last_hole_at_));
    last_hole_at_ = at;
  }
  out.append(raw_, literal_begin_, size);
  literal_begin_ = end;
}

void HoleCompressor::AppendCopy(size_t offset, size_t size) {
  std::string& out = out_.bytes;
  auto byte = [&](size_t value) { out += static_cast<char>(static_cast<uint8_t>(value)); };
  if (IsShort(offset, size)) {
    byte(1 | (size - 4) << 2 | (offset >> 8) << 5);
    byte(offset & 255);
  } else {
    byte(2 | (size - 1) << 2);
    byte(offset & 255);
    byte(offset >> 8);
  }
}

}  // namespace tributary
