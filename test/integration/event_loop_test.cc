// SystemEventLoop on the real clock.
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/event/system_event_loop.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

void Signal(int fd) {
  const uint64_t one = 1;
  REQUIRE(write(fd, &one, sizeof one) == sizeof one);
}

TEST_CASE("event loop: timers run in order, never early, and soon") {
  SystemEventLoop loop;
  std::vector<int> order;
  const MonotonicTime start = loop.Now();
  nanoseconds worst{};
  const auto add = [&](nanoseconds delay, int value) {
    loop.AddTimer(start + delay, [&, delay, value] {
      const nanoseconds late = loop.Now() - (start + delay);
      CHECK(late.count() >= 0);
      worst = std::max(worst, late);
      order.push_back(value);
      if (value == 4) loop.Stop();
    });
  };
  add(milliseconds(30), 4);
  add(milliseconds(10), 1);
  add(milliseconds(10), 2);
  add(std::chrono::microseconds(10'400), 3);
  add(milliseconds(-5), 0);
  loop.CancelTimer(loop.AddTimerAfter(milliseconds(1), [&] { order.push_back(99); }));
  loop.Run();
  REQUIRE(order == std::vector<int>{0, 1, 2, 3, 4});
  REQUIRE(worst < milliseconds(500));
}

TEST_CASE("event loop: sleeps when there is nothing to do") {
  SystemEventLoop loop;
  loop.AddTimerAfter(milliseconds(300), [&] { loop.Stop(); });
  loop.Run();
  REQUIRE(loop.turns() <= 3);
}

TEST_CASE("event loop: posts of many threads run on the loop's thread, each thread's in order") {
  SystemEventLoop loop;
  constexpr int kThreads = 4;
  constexpr int kPosts = 5'000;
  std::vector<int> next(kThreads, 0);
  int total = 0;
  std::vector<std::thread> threads;
  const auto loop_thread = std::this_thread::get_id();
  for (size_t thread = 0; thread < kThreads; thread++) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kPosts; i++) {
        loop.Post([&, thread, i] {
          if (next[thread]++ != i || std::this_thread::get_id() != loop_thread) std::abort();
          if (++total == kThreads * kPosts) loop.Stop();
        });
      }
    });
  }
  loop.Run();
  for (std::thread& thread : threads) thread.join();
  REQUIRE(total == kThreads * kPosts);
}

TEST_CASE("event loop: Stop from another thread ends a sleep, and counts before Run too") {
  SystemEventLoop loop;
  loop.Stop();
  loop.Run();
  std::thread stopper([&] { loop.Stop(); });
  loop.Run();
  stopper.join();
  bool ran = false;
  loop.Post([&] {
    ran = true;
    loop.Stop();
  });
  loop.Post([] { FAIL("ran after Stop"); });
  loop.Run();
  REQUIRE(ran);
}

TEST_CASE(
    "event loop: posts, timers and descriptors that make more work do not starve each other") {
  SystemEventLoop loop;
  const int fd = eventfd(0, EFD_CLOEXEC);
  Signal(fd);  // always readable
  int fds = 0;
  int posts = 0;
  int timers = 0;
  const auto stop_when_fair = [&] {
    if (fds > 50 && posts > 50 && timers > 50) loop.Stop();
  };
  std::function<void()> post = [&] {
    posts++;
    loop.Post(post);
    stop_when_fair();
  };
  std::function<void()> timer = [&] {
    timers++;
    loop.AddTimer(MonotonicTime{}, timer);
    stop_when_fair();
  };
  loop.WatchFd(fd, EPOLLIN, [&](uint32_t) { fds++; });
  loop.Post(post);
  loop.AddTimer(MonotonicTime{}, timer);
  loop.Run();
  loop.RemoveFd(fd);
  close(fd);
  REQUIRE(posts < 50 * 1000);
}

TEST_CASE("event loop: a descriptor's callback may replace and remove watches") {
  SystemEventLoop loop;
  const int first = eventfd(0, EFD_CLOEXEC);
  const int second = eventfd(0, EFD_CLOEXEC);
  Signal(first);
  Signal(second);
  int calls = 0;
  // Whichever comes first removes the other, whose event of the same turn must not arrive.
  const auto callback = [&](int other) {
    return [&, other](uint32_t events) {
      CHECK((events & EPOLLIN) != 0);
      calls++;
      loop.RemoveFd(other);
    };
  };
  loop.WatchFd(first, EPOLLIN, callback(second));
  loop.WatchFd(second, EPOLLIN, callback(first));
  loop.AddTimerAfter(milliseconds(20), [&] {
    CHECK(calls > 0);
    loop.RemoveFd(first);
    loop.RemoveFd(second);
    // A callback that replaces itself while it runs.
    loop.WatchFd(first, EPOLLIN, [&, owned = std::string(100, 'x')](uint32_t) {
      loop.WatchFd(first, EPOLLIN, [&](uint32_t) { loop.Stop(); });
      CHECK(owned.size() == 100);
    });
  });
  loop.Run();
  loop.RemoveFd(first);
  loop.RemoveFd(first);
  close(first);
  close(second);
}

TEST_CASE("event loop: a descriptor number that comes back is another descriptor") {
  SystemEventLoop loop;
  const int fd = eventfd(0, EFD_CLOEXEC);
  loop.WatchFd(fd, EPOLLIN, [](uint32_t) { FAIL("the old watch was called"); });
  close(fd);  // forgotten: RemoveFd should have come before
  const int again = eventfd(1, EFD_CLOEXEC);
  REQUIRE(again == fd);
  loop.WatchFd(again, EPOLLIN, [&](uint32_t) { loop.Stop(); });
  loop.Run();
  loop.RemoveFd(again);
  close(again);
}

TEST_CASE("event loop: callbacks that never ran are destroyed, and may use the loop in that") {
  const auto token = std::make_shared<int>(0);
  {
    SystemEventLoop loop;
    const auto guard = [&] {
      return std::shared_ptr<int>(new int(0), [&loop, token](const int* value) {
        delete value;
        loop.Post([token] {});
      });
    };
    loop.AddTimerAfter(seconds(100), [owned = guard(), token] {});
    loop.Post([owned = guard(), token] {});
    REQUIRE(token.use_count() == 5);
  }
  REQUIRE(token.use_count() == 1);
}

}  // namespace
}  // namespace tributary
