// The lines of a target's page, in the page's order: what each line is, found by a hash of its
// text.
//
// 14 bytes a line. A line that stands where it stood last time is recognised by one comparison of
// its hash; one that moved is found through an index that is built only for such a scrape. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/base/hash.h"

namespace tributary {

class KnownLines {
 public:
  // What a line is: the place of its series, or one of these.
  static constexpr uint32_t kDropped = 0x7fffffff;    // by metric_relabel_configs
  static constexpr uint32_t kComment = 0x7ffffffe;    // and HELP and TYPE that were read before
  static constexpr uint32_t kOverLimit = 0x7ffffffd;  // dropped: no room for its series (limits)
  static constexpr uint32_t kPlaceMax = 0x7ffffffc;
  static constexpr uint32_t kNone = 0xffffffff;
  // Longer texts are not recognised without looking for their end.
  static constexpr size_t kLengthMax = 0xffff;

  uint32_t size() const { return static_cast<uint32_t>(hashes_.size()); }
  uint64_t hash(uint32_t line) const { return hashes_[line]; }
  uint16_t length(uint32_t line) const { return lengths_[line]; }
  uint32_t place(uint32_t line) const { return places_[line] & 0x7fffffff; }
  // Whether a sample of this line was taken since it last (re)appeared: scrape_series_added counts
  // the lines that become so.
  bool accepted(uint32_t line) const { return (places_[line] >> 31) != 0; }
  void SetAccepted(uint32_t line) { places_[line] |= 0x80000000; }
  void ClearAccepted(uint32_t line) { places_[line] &= 0x7fffffff; }
  void SetPlace(uint32_t line, uint32_t place) {
    places_[line] = (places_[line] & 0x80000000) | place;
  }

  // Appends a line; `text_size` above kLengthMax is kept as 0.
  uint32_t Add(uint64_t hash, size_t text_size, uint32_t place);
  // Finds a line by hash, kNone if it is not known. `near` is where it is likely to be. Builds the
  // index on first use; DropIndex frees it.
  uint32_t Find(uint64_t hash, uint32_t near);
  void DropIndex();

  // Forgets the lines from `count` on.
  void Truncate(uint32_t count);
  // Forgets the first `count` lines of those that are kOverLimit. Whether any is left.
  bool ForgetOverLimit(uint64_t count);
  // Keeps the lines named, in that order.
  void Reorder(const std::vector<uint32_t>& order);
  void Clear();
  void ShrinkToFit();
  size_t memory_bytes() const {
    return hashes_.capacity() * 8 + places_.capacity() * 4 + lengths_.capacity() * 2;
  }

 private:
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> places_;  // top bit: accepted
  std::vector<uint16_t> lengths_;
  boost::unordered_flat_map<uint64_t, uint32_t> index_;
  bool indexed_ = false;
};

}  // namespace tributary
