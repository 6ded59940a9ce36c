// The latest time of those places of a target for which it is not that of the last page: few, as a
// rule, and then they stand in a map; of a target whose pages give every sample a time of its own
// (/federate) all of them, and then they stand in an array. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/base/time.h"

namespace tributary {

class LastTimes {
 public:
  // Of a series that has no samples yet.
  static constexpr TimestampMs kNever = std::numeric_limits<TimestampMs>::min();

  // The earliest that can be kept beside kNever.
  static constexpr TimestampMs kEarliest = kNever + 2;

  // Null: it is not kept here.
  const TimestampMs* Find(uint32_t place) const { return FindIn(*this, place); }
  // Says that the place's time will soon be asked for. False: there are few times, or none for it.
  bool Prefetch(uint32_t place) const {
    if (!dense_ || place >= array_.size()) return false;
    __builtin_prefetch(&array_[place]);
    return true;
  }
  // Makes the time that is kept no earlier than `time`; false: none is kept.
  bool Raise(uint32_t place, TimestampMs time) {
    TimestampMs* kept = FindIn(*this, place);
    if (kept != nullptr) *kept = std::max(*kept, time);
    return kept != nullptr;
  }
  // Keeps `time` unless a time is kept already; the one that is kept.
  TimestampMs& TryAdd(uint32_t place, TimestampMs time);
  // Forgets those for which drop(place, time) says so.
  template <typename F>
  void EraseIf(F drop) {
    if (dense_) {
      for (uint32_t place = 0; place < array_.size(); place++) {
        if (array_[place] == kAbsent || !drop(place, array_[place])) continue;
        array_[place] = kAbsent;
        size_--;
      }
    } else {
      size_ -= boost::unordered::erase_if(
          map_, [&](const auto& entry) { return drop(entry.first, entry.second); });
    }
    Settle();
  }
  template <typename F>
  void ForEach(F f) const {
    if (dense_) {
      for (uint32_t place = 0; place < array_.size(); place++) {
        if (array_[place] != kAbsent) f(place, array_[place]);
      }
    } else {
      for (const auto& [place, time] : map_) f(place, time);
    }
  }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t memory_bytes() const { return map_.bucket_count() * 17 + array_.capacity() * 8; }

 private:
  // One more than kNever, which is a value that is kept.
  static constexpr TimestampMs kAbsent = kNever + 1;
  // A map takes some 20 bytes an entry, an array 8 a place.
  static constexpr size_t kPlacesPerEntry = 2;
  static constexpr size_t kMapMax = 64;

  template <typename Self>
  static auto FindIn(Self& self, uint32_t place) -> decltype(self.array_.data()) {
    if (self.dense_) {
      const bool kept = place < self.array_.size() && self.array_[place] != kAbsent;
      return kept ? &self.array_[place] : nullptr;
    }
    auto it = self.map_.find(place);
    return it == self.map_.end() ? nullptr : &it->second;
  }
  // Chooses the smaller form, with some reluctance to go back.
  void Settle();
  void ToArray(uint32_t places);
  void ToMap();

  bool dense_ = false;
  size_t size_ = 0;
  boost::unordered_flat_map<uint32_t, TimestampMs> map_;
  uint32_t map_end_ = 0;  // one more than the highest place in the map so far
  std::vector<TimestampMs> array_;
};

}  // namespace tributary
