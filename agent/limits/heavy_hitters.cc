#include "agent/limits/heavy_hitters.h"

#include <algorithm>

namespace tributary {

size_t HeavyHitters::Add(std::string_view name, bool& is_new) {
  name = name.substr(0, kNameBytesMax);
  size_t smallest = 0;
  for (size_t i = 0; i < entries_.size(); i++) {
    if (entries_[i].name == name) {
      entries_[i].count++;
      is_new = false;
      return i;
    }
    if (entries_[i].count < entries_[smallest].count) smallest = i;
  }
  is_new = true;
  if (entries_.size() < kCounters) {
    entries_.push_back({std::string(name), 1, 0});
    return entries_.size() - 1;
  }
  Entry& taken_over = entries_[smallest];
  taken_over.name = name;
  taken_over.error = taken_over.count++;
  return smallest;
}

std::vector<HeavyHitters::Entry> HeavyHitters::Top(size_t count) const {
  std::vector<Entry> top = entries_;
  std::sort(top.begin(), top.end(), [](const Entry& a, const Entry& b) {
    return a.count != b.count ? a.count > b.count : a.name < b.name;
  });
  if (top.size() > count) top.resize(count);
  return top;
}

}  // namespace tributary
