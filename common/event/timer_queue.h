// Timers in the order in which they are due: an indexed binary heap keyed by (time, order of
// making).
//
// Add and Cancel take O(log n) and leave no garbage behind. Not thread-safe. Callbacks are handed
// out, never run here; a callback's destruction may use the queue.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "common/event/event_loop.h"

namespace tributary {

class TimerQueue {
 public:
  TimerId Add(MonotonicTime when, EventLoop::Callback callback);
  // Whether the timer was waiting.
  bool Cancel(TimerId timer);
  // When the first timer is due.
  std::optional<MonotonicTime> Next() const;
  // Takes the first timer out if it is due at `now` and was made before `mark`; null otherwise.
  EventLoop::Callback Take(MonotonicTime now, uint64_t mark);
  // Timers made later are not made before this mark.
  uint64_t Mark() const { return sequence_; }
  size_t size() const { return heap_.size(); }
  // For diagnosis: all timers, soonest first.
  std::vector<std::pair<MonotonicTime, TimerId>> List() const;
  // Destroys all callbacks, those added meanwhile too.
  void Clear();

 private:
  struct Slot {
    MonotonicTime when;
    uint64_t sequence = 0;
    uint32_t generation = 0;  // tells an old id from the slot's present one
    uint32_t place = 0;       // in heap_
    EventLoop::Callback callback;
  };

  bool Before(uint32_t a, uint32_t b) const;
  void Put(size_t place, uint32_t slot);
  void SiftUp(size_t place);
  void SiftDown(size_t place);
  EventLoop::Callback Remove(size_t place);
  TimerId IdOf(uint32_t slot) const;

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> heap_;  // slots
  uint64_t sequence_ = 0;
};

}  // namespace tributary
