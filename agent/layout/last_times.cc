#include "agent/layout/last_times.h"

#include "agent/layout/free_memory.h"
namespace tributary {

TimestampMs& LastTimes::TryAdd(uint32_t place, TimestampMs time) {
  if (!dense_) {
    auto [it, is_new] = map_.try_emplace(place, time);
    if (!is_new) return it->second;
    size_++;
    map_end_ = std::max(map_end_, place + 1);
    if (size_ <= kMapMax || size_ * kPlacesPerEntry < map_end_) return it->second;
    ToArray(map_end_);
    return array_[place];
  }
  if (place >= array_.size()) {
    // Places are handed out in rising order, by whole groups: grow by more than one.
    const size_t size = std::max<size_t>(place + 1, array_.size() + array_.size() / 8);
    array_.reserve(size);  // which grows by no more than asked for
    array_.resize(size, kAbsent);
  }
  if (array_[place] == kAbsent) {
    array_[place] = time;
    size_++;
  }
  return array_[place];
}

void LastTimes::ToArray(uint32_t places) {
  array_.assign(places, kAbsent);
  for (const auto& [place, time] : map_) array_[place] = time;
  FreeMemory(map_);
  map_end_ = 0;
  dense_ = true;
}

void LastTimes::ToMap() {
  for (uint32_t place = 0; place < array_.size(); place++) {
    if (array_[place] == kAbsent) continue;
    map_.emplace(place, array_[place]);
    map_end_ = place + 1;
  }
  FreeMemory(array_);
  dense_ = false;
}

void LastTimes::Settle() {
  if (size_ == 0) {
    *this = {};
  } else if (dense_ && size_ * kPlacesPerEntry * 4 < array_.size()) {
    ToMap();
  }
}

}  // namespace tributary
