// Which names come most often in a stream of them, in bounded memory.
//
// Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements
// in Data Streams, 2005): so many counters; a name without one takes over the smallest and goes on
// from its count. So no count is too low, and one is too high by no more than `error`; a name that
// is more than one of kCounters of the stream is among them for certain.
//
// Not thread-safe. Memory: kCounters names of kNameBytesMax bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

class HeavyHitters {
 public:
  static constexpr size_t kCounters = 64;
  static constexpr size_t kNameBytesMax = 200;  // what is longer is cut

  struct Entry {
    std::string name;
    uint64_t count = 0;
    uint64_t error = 0;
  };

  // Where in entries() the name is now. `is_new`: another one was there, or none.
  size_t Add(std::string_view name, bool& is_new);
  void Add(std::string_view name) {
    bool is_new = false;
    Add(name, is_new);
  }
  const std::vector<Entry>& entries() const { return entries_; }
  // The greatest counts first.
  std::vector<Entry> Top(size_t count) const;
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace tributary
