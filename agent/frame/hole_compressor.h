// Compresses the series of a block into snappy elements with holes: what a sample's value and time
// overwrite later. Source: google/snappy, format_description.txt.
//
// The bytes are a list of entries, each `head` VALUE(8) TAG(1) TIME(6) `tail`. What comes out obeys
// these rules, by which it may be patched and stand anywhere in a snappy stream:
// - no copy reaches back before the first entry, and none further than 65,535 bytes;
// - a VALUE lies in one literal, whole, and no copy reads it;
// - where entries share their time, that of the first is in the literal of its VALUE, and the
//   others copy the one before; where each has its own, TIME lies in the literal of its VALUE;
// - no literal is longer than 64 KiB, and copies have the two shortest forms.
//
// Work is done entry by entry: it may be spread over as many turns of a loop as there are entries.
// One thread. Bounds: kBlockEntriesMax entries of kEntryBytesMax, kBlockBytesMax bytes in all; the
// scratch is some 64 KiB and what the bytes take, until Release.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

inline constexpr size_t kBlockEntriesMax = 250;
// A longer entry would put the time that the next one copies out of reach, and its hole beyond the
// 16 bits that a hole has.
inline constexpr size_t kEntryBytesMax = 60'000;
inline constexpr size_t kTailBytesMax = 1'000;
inline constexpr size_t kBlockBytesMax = 2 << 20;

inline constexpr size_t kValueBytes = 8;
inline constexpr size_t kTimeBytes = 6;
// Of a VALUE's beginning to that of the TIME behind it.
inline constexpr size_t kTimeFromValue = kValueBytes + 1;

// Whether all entries have one time, or each has its own.
enum class FrameTimes : uint8_t { kShared, kOwn };

class HoleCompressor {
 public:
  struct Output {
    std::string bytes;  // snappy elements, without the length that begins a stream
    // For each entry how far its VALUE lies behind the one before; of the first: behind the start.
    std::vector<uint16_t> holes;
    uint32_t raw_bytes = 0;  // what `bytes` expand to
  };

  void Begin(FrameTimes times);
  // The first `key_bytes` of `head` are what tells its metric's name from others: entries that
  // begin alike are likely to go on alike. False: beyond a bound; the block cannot be made.
  bool Add(std::string_view head, size_t key_bytes, std::string_view tail);
  // Of all since Begin, one entry at least.
  Output Finish();
  // Gives the scratch back.
  void Release();
  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kTableBits = 14;
  static constexpr size_t kNoKey = 256;

  struct Match {
    size_t offset = 0;   // back to where it comes from
    size_t size = 0;     // 0: no match
    size_t segment = 0;  // of where it comes from
    int gain = 0;        // bytes saved
  };

  // A segment reaches from behind a VALUE to the next one, or to the end. Segment 0 begins at the
  // start, segment i behind the VALUE of entry i-1.
  size_t EndOf(size_t segment) const;
  // Of what is compared in it: where its time is copied, from TAG on, else behind TIME.
  size_t StartOf(size_t segment) const;
  // From `scanned_` to `end`, the end of segment_.
  void Compress(size_t key, size_t end);
  Match MatchFrom(size_t from, size_t segment, size_t at, size_t end) const;
  Match FindAtStart(size_t key, size_t at, size_t end) const;
  Match Find(size_t at, size_t end);
  void Take(const Match& match, size_t at, size_t end);
  uint32_t& SlotOf(size_t at);
  void Remember(size_t at) { SlotOf(at) = static_cast<uint32_t>(segment_ << 24 | at); }
  void FlushLiteral(size_t end);
  void AppendCopy(size_t offset, size_t size);

  FrameTimes times_ = FrameTimes::kShared;
  std::string raw_;
  std::vector<uint32_t> value_at_;
  std::vector<uint32_t> table_;  // hash of four bytes -> segment << 24 | position
  // Hash of an entry's key -> the last segment that ends with such an entry's head; 0: none.
  std::array<uint8_t, kNoKey> segment_by_key_{};
  size_t segment_ = 0;        // under way
  size_t scanned_ = 0;        // what is before is done; behind a VALUE, and a TIME in its literal
  size_t matchable_ = 0;      // of segment_: behind the time, which is no bytes like others
  size_t literal_begin_ = 0;  // what is not in out_ yet
  size_t next_hole_ = 0;      // the first entry whose VALUE is not in out_ yet
  size_t last_hole_at_ = 0;   // in out_.bytes
  Match last_;                // what follows a match is the likeliest to match again
  Output out_;
};

}  // namespace tributary
