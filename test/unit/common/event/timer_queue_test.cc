#include "common/event/timer_queue.h"

#include <map>
#include <memory>
#include <random>

#include "test/support/catch.h"

namespace tributary {
namespace {

MonotonicTime At(int64_t ns) { return MonotonicTime(nanoseconds(ns)); }

TEST_CASE("timer queue: behaves as an ordered map of (time, order of making)") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  TimerQueue queue;
  struct Made {
    TimerId id;
    int value;
  };
  std::map<std::pair<int64_t, int>, Made> model;
  std::vector<TimerId> all;
  int made = 0;
  int ran = 0;
  for (int step = 0; step < 50'000; step++) {
    switch (random() % 4) {
      case 0:
      case 1: {
        const auto when = static_cast<int64_t>(random() % 100);
        const int value = made++;
        const TimerId id = queue.Add(At(when), [&ran, value] { ran = value; });
        REQUIRE(id != 0);
        model[{when, value}] = {id, value};
        all.push_back(id);
        break;
      }
      case 2: {
        const auto now = static_cast<int64_t>(random() % 100);
        const EventLoop::Callback callback = queue.Take(At(now), queue.Mark());
        const bool due = !model.empty() && model.begin()->first.first <= now;
        REQUIRE((callback != nullptr) == due);
        if (!due) break;
        callback();
        REQUIRE(ran == model.begin()->second.value);
        model.erase(model.begin());
        break;
      }
      default: {
        if (all.empty()) break;
        const TimerId id = all[random() % all.size()];  // most of them have run or are cancelled
        bool waiting = false;
        for (auto at = model.begin(); at != model.end(); ++at) {
          if (at->second.id != id) continue;
          waiting = true;
          model.erase(at);
          break;
        }
        REQUIRE(queue.Cancel(id) == waiting);
        if (all.size() > 500) all.erase(all.begin(), all.begin() + 250);
      }
    }
    REQUIRE(queue.size() == model.size());
    if (!model.empty()) REQUIRE(queue.Next() == At(model.begin()->first.first));
  }
  const auto list = queue.List();
  REQUIRE(list.size() == model.size());
  size_t place = 0;
  for (const auto& [key, timer] : model) {
    REQUIRE(list[place].first == At(key.first));
    REQUIRE(list[place++].second == timer.id);
  }
}

TEST_CASE("timer queue: a mark leaves out the timers made after it") {
  TimerQueue queue;
  queue.Add(At(5), [] {});
  const uint64_t mark = queue.Mark();
  queue.Add(At(1), [] {});
  REQUIRE_FALSE(queue.Take(At(9), mark));  // the first one due is too young
  REQUIRE(queue.Take(At(9), queue.Mark()));
  REQUIRE(queue.Take(At(9), mark));
}

TEST_CASE("timer queue: an id is not valid again for the slot's next timer") {
  TimerQueue queue;
  const TimerId first = queue.Add(At(1), [] {});
  REQUIRE(queue.Cancel(first));
  const TimerId second = queue.Add(At(1), [] {});
  REQUIRE_FALSE(queue.Cancel(first));
  REQUIRE_FALSE(queue.Cancel(0));
  REQUIRE(queue.Cancel(second));
}

TEST_CASE("timer queue: what a callback owns may use the queue when it goes") {
  TimerQueue queue;
  const TimerId other = queue.Add(At(2), [] {});
  const auto guard = [&queue, other] {
    return std::shared_ptr<int>(new int(0), [&queue, other](const int* value) {
      delete value;
      queue.Cancel(other);
      queue.Add(At(3), [] {});
    });
  };
  queue.Add(At(1), [owned = guard()] {});
  const TimerId cancelled = queue.Add(At(1), [owned = guard()] {});
  queue.Cancel(cancelled);
  REQUIRE(queue.size() == 2);
  queue.Clear();
  REQUIRE(queue.size() == 0);
}

}  // namespace
}  // namespace tributary
