#include "common/event/io_thread.h"

#include <pthread.h>

#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common/event/system_event_loop.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("io thread: pieces are done in order on another thread, and told on the loop") {
  SystemEventLoop loop;
  IoThread io(loop);
  const std::thread::id here = std::this_thread::get_id();
  std::vector<int> worked;  // by one thread after the other: the queue orders it
  std::vector<int> done;
  constexpr int kPieces = 1000;
  bool elsewhere = true;
  for (int i = 0; i < kPieces; i++) {
    io.Run(
        [&worked, &elsewhere, here, i] {
          worked.push_back(i);
          elsewhere = elsewhere && std::this_thread::get_id() != here;
        },
        [&loop, &done, here, i] {
          REQUIRE(std::this_thread::get_id() == here);
          done.push_back(i);
          if (i + 1 == kPieces) loop.Stop();
        });
  }
  REQUIRE(done.empty());
  loop.Run();
  REQUIRE(elsewhere);
  std::vector<int> expected(kPieces);
  for (int i = 0; i < kPieces; i++) expected[static_cast<size_t>(i)] = i;
  REQUIRE(worked == expected);
  REQUIRE(done == expected);
}

TEST_CASE("io thread: a done may hand in the next piece") {
  SystemEventLoop loop;
  IoThread io(loop);
  int left = 100;
  std::function<void()> next = [&] {
    if (--left == 0) return loop.Stop();
    io.Run([] {}, next);
  };
  io.Run([] {}, next);
  loop.Run();
  REQUIRE(left == 0);
}

TEST_CASE("io thread: a piece that blocks keeps the ones behind it waiting, and not the loop") {
  SystemEventLoop loop;
  IoThread io(loop);
  std::promise<void> disk;
  std::vector<std::string> events;
  io.Run([stalled = disk.get_future().share()] { stalled.wait(); },
         [&] { events.push_back("first"); });
  io.Run([] {},
         [&] {
           events.push_back("second");
           loop.Stop();
         });
  loop.Post([&] {
    events.push_back("loop");
    loop.Post([&] {
      events.push_back("loop");
      disk.set_value();
    });
  });
  loop.Run();
  REQUIRE(events == std::vector<std::string>{"loop", "loop", "first", "second"});
}

TEST_CASE("io thread: its end lets what was handed in finish, and tells nobody") {
  SystemEventLoop loop;
  int worked = 0;
  auto held = std::make_shared<int>();
  {
    IoThread io(loop);
    std::promise<void> disk;
    io.Run([stalled = disk.get_future().share()] { stalled.wait(); }, [] { FAIL("told"); });
    for (int i = 0; i < 10; i++) {
      io.Run([&worked] { worked++; }, [held] { FAIL("told"); });
    }
    REQUIRE(held.use_count() == 11);
    disk.set_value();
  }
  REQUIRE(worked == 10);
  REQUIRE(held.use_count() == 1);  // though the loop has not run
  loop.Post([&] { loop.Stop(); });
  loop.Run();
}

TEST_CASE("io thread: may end in a done, and those behind it are not told") {
  SystemEventLoop loop;
  auto io = std::make_unique<IoThread>(loop);
  std::promise<void> all;
  int worked = 0;
  io->Run([&] { worked++; },
          [&] {
            all.get_future().wait();  // the others have finished, told or on their way
            io.reset();
            loop.Post([&] { loop.Stop(); });
          });
  for (int i = 0; i < 10; i++) {
    io->Run([&] { worked++; }, [] { FAIL("told"); });
  }
  io->Run([&] { all.set_value(); }, [] { FAIL("told"); });
  loop.Run();
  REQUIRE(worked == 11);
}

TEST_CASE("io thread: what the work holds goes on its thread, what the done holds on the loop") {
  SystemEventLoop loop;
  IoThread io(loop);
  std::thread::id work_thread, work_gone, done_gone;
  const auto note = [](std::thread::id& gone) {
    return std::shared_ptr<void>(nullptr, [&gone](void*) { gone = std::this_thread::get_id(); });
  };
  io.Run([held = note(work_gone), &work_thread] { work_thread = std::this_thread::get_id(); },
         [held = note(done_gone)] {});
  io.Run([] {}, [&] { loop.Post([&] { loop.Stop(); }); });
  loop.Run();
  REQUIRE(work_gone == work_thread);
  REQUIRE(done_gone == std::this_thread::get_id());
}

TEST_CASE("io thread: what is done quietly is told with what wakes the loop, in order") {
  SystemEventLoop loop;
  IoThread io(loop);
  std::vector<std::string> told;
  std::promise<void> worked;
  uint64_t asleep = 0;
  io.RunQuietly([] { return false; }, [&] { told.push_back("first"); });
  io.RunQuietly(
      [&] {
        worked.set_value();
        return false;
      },
      [&] { told.push_back("second"); });
  std::thread sleeper([&] {
    worked.get_future().wait();
    std::this_thread::sleep_for(milliseconds(50));
    asleep = loop.turns();
    std::this_thread::sleep_for(milliseconds(50));
    asleep = loop.turns() - asleep;
    loop.Post([&] {
      loop.Post([&] { loop.Stop(); });
    });
  });
  loop.Run();
  sleeper.join();
  CHECK(asleep == 0);
  CHECK(told == std::vector<std::string>{"first", "second"});
}

TEST_CASE("io thread: a quiet piece that says so wakes the loop, for those before it as well") {
  SystemEventLoop loop;
  IoThread io(loop);
  std::vector<std::string> told;
  io.RunQuietly([] { return false; }, [&] { told.push_back("first"); });
  io.RunQuietly([] { return true; },
                [&] {
                  told.push_back("second");
                  loop.Stop();
                });
  loop.Run();
  CHECK(told == std::vector<std::string>{"first", "second"});
}

TEST_CASE("io thread: has its name, and takes no signals") {
  SystemEventLoop loop;
  sigset_t before, after, in_thread;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  IoThread io(loop);
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  char name[16] = "";
  io.Run(
      [&] {
        pthread_getname_np(pthread_self(), name, sizeof name);
        pthread_sigmask(SIG_SETMASK, nullptr, &in_thread);
      },
      [&] { loop.Stop(); });
  loop.Run();
  REQUIRE(std::string(name) == "io");
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
    REQUIRE(sigismember(&in_thread, signal) == 1);
    REQUIRE(sigismember(&after, signal) == sigismember(&before, signal));
  }
}

}  // namespace
}  // namespace tributary
