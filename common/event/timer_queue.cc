#include "common/event/timer_queue.h"

#include <algorithm>

namespace tributary {

TimerId TimerQueue::Add(MonotonicTime when, EventLoop::Callback callback) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.when = when;
  slot.sequence = sequence_++;
  slot.callback = std::move(callback);
  heap_.push_back(index);
  Put(heap_.size() - 1, index);
  SiftUp(heap_.size() - 1);
  return IdOf(index);
}

bool TimerQueue::Cancel(TimerId timer) {
  const auto index = static_cast<uint32_t>(timer) - 1;
  if (timer == 0 || index >= slots_.size()) return false;
  const Slot& slot = slots_[index];
  // A free slot's generation is already that of its next timer, so no old id matches it.
  if (slot.generation != timer >> 32) return false;
  if (slot.place >= heap_.size() || heap_[slot.place] != index) return false;
  Remove(slot.place);
  return true;
}

std::optional<MonotonicTime> TimerQueue::Next() const {
  if (heap_.empty()) return std::nullopt;
  return slots_[heap_.front()].when;
}

EventLoop::Callback TimerQueue::Take(MonotonicTime now, uint64_t mark) {
  if (heap_.empty()) return nullptr;
  const Slot& first = slots_[heap_.front()];
  if (first.when > now || first.sequence >= mark) return nullptr;
  return Remove(0);
}

std::vector<std::pair<MonotonicTime, TimerId>> TimerQueue::List() const {
  std::vector<uint32_t> order = heap_;
  std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return Before(a, b); });
  std::vector<std::pair<MonotonicTime, TimerId>> list;
  list.reserve(order.size());
  for (uint32_t slot : order) list.emplace_back(slots_[slot].when, IdOf(slot));
  return list;
}

void TimerQueue::Clear() {
  while (!heap_.empty()) Remove(heap_.size() - 1);
}

bool TimerQueue::Before(uint32_t a, uint32_t b) const {
  const Slot& x = slots_[a];
  const Slot& y = slots_[b];
  return x.when != y.when ? x.when < y.when : x.sequence < y.sequence;
}

void TimerQueue::Put(size_t place, uint32_t slot) {
  heap_[place] = slot;
  slots_[slot].place = static_cast<uint32_t>(place);
}

void TimerQueue::SiftUp(size_t place) {
  const uint32_t slot = heap_[place];
  while (place > 0) {
    const size_t parent = (place - 1) / 2;
    if (!Before(slot, heap_[parent])) break;
    Put(place, heap_[parent]);
    place = parent;
  }
  Put(place, slot);
}

void TimerQueue::SiftDown(size_t place) {
  const uint32_t slot = heap_[place];
  for (;;) {
    size_t child = 2 * place + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && Before(heap_[child + 1], heap_[child])) child++;
    if (!Before(heap_[child], slot)) break;
    Put(place, heap_[child]);
    place = child;
  }
  Put(place, slot);
}

EventLoop::Callback TimerQueue::Remove(size_t place) {
  const uint32_t index = heap_[place];
  const uint32_t last = heap_.back();
  heap_.pop_back();
  if (place < heap_.size()) {
    Put(place, last);
    SiftUp(place);
    SiftDown(slots_[last].place);
  }
  Slot& slot = slots_[index];
  slot.generation++;
  free_.push_back(index);
  // Handed out rather than destroyed here: what it owns may come back to this queue.
  return std::exchange(slot.callback, nullptr);
}

TimerId TimerQueue::IdOf(uint32_t slot) const {
  return static_cast<TimerId>(slots_[slot].generation) << 32 | (slot + 1);
}

}  // namespace tributary
