#include "test/support/sim/sim_work_queue.h"

#include <memory>
#include <string>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Events = std::vector<std::string>;

class Recorded {
 public:
  SimLoop world;
  std::unique_ptr<SimProcess> process = std::make_unique<SimProcess>(world);
  std::unique_ptr<SimWorkQueue> queue = std::make_unique<SimWorkQueue>(*process, 7);
  Events events;

  void Run(const std::string& name) {
    queue->Run([this, name] { Note("work " + name); }, [this, name] { Note("done " + name); });
  }
  void EndProcess() {
    queue.reset();
    process.reset();
  }

 private:
  void Note(const std::string& what) {
    const auto ms = std::chrono::duration_cast<milliseconds>(world.Now().time_since_epoch());
    events.push_back(what + " " + std::to_string(ms.count()));
  }
};

TEST_CASE("sim work queue: one piece at a time, in order, each in its time") {
  Recorded f;
  f.queue->set_latency(milliseconds(10));
  f.Run("a");
  f.Run("b");
  REQUIRE(f.queue->waiting() == 2);
  REQUIRE(f.events.empty());
  f.world.RunFor(milliseconds(15));
  REQUIRE(f.events == Events{"work a 10", "done a 10"});
  f.queue->set_latency(std::chrono::minutes(2));  // of those that begin later
  f.Run("c");
  f.world.RunFor(std::chrono::minutes(2));
  REQUIRE(f.events == Events{"work a 10", "done a 10", "work b 20", "done b 20"});
  f.world.RunFor(std::chrono::minutes(1));
  REQUIRE(f.events.back() == "done c 120020");
  REQUIRE(f.queue->waiting() == 0);
  REQUIRE(f.world.pending() == 0);
}

TEST_CASE("sim work queue: work can be executed at the start of its time, never inside Run") {
  Recorded f;
  f.queue->set_latency(seconds(1));
  f.queue->set_execution(SimWorkQueue::Execution::kAtStart);
  f.Run("a");
  REQUIRE(f.events.empty());
  f.world.RunFor(milliseconds(500));
  REQUIRE(f.events == Events{"work a 0"});
  f.world.RunFor(seconds(1));
  REQUIRE(f.events == Events{"work a 0", "done a 1000"});
}

TEST_CASE("sim work queue: by chance work is executed at either end, and done in order") {
  Recorded f;
  f.queue->set_latency(milliseconds(1), milliseconds(20));
  f.queue->set_execution(SimWorkQueue::Execution::kRandom);
  for (int i = 0; i < 100; i++) f.Run(std::to_string(i));
  f.world.RunFor(seconds(10));
  REQUIRE(f.events.size() == 200);
  size_t at_start = 0;
  const auto time = [](const std::string& event) { return event.substr(event.rfind(' ')); };
  for (size_t i = 0; i < 100; i++) {
    const std::string& work = f.events[2 * i];
    const std::string& done = f.events[2 * i + 1];
    REQUIRE(work.rfind("work " + std::to_string(i) + " ", 0) == 0);
    REQUIRE(done.rfind("done " + std::to_string(i) + " ", 0) == 0);
    if (time(work) != time(done)) at_start++;
  }
  REQUIRE(at_start > 20);
  REQUIRE(at_start < 80);
}

TEST_CASE("sim work queue: what was not executed dies with the process") {
  Recorded f;
  f.queue->set_latency(seconds(1));
  f.Run("a");
  f.Run("b");
  f.world.RunFor(milliseconds(1500));
  f.EndProcess();
  f.world.RunFor(std::chrono::minutes(1));
  REQUIRE(f.events == Events{"work a 1000", "done a 1000"});
  REQUIRE(f.world.pending() == 0);
}

TEST_CASE("sim work queue: at an orderly end all is executed once, and nobody is told") {
  Recorded f;
  f.queue->set_latency(seconds(1));
  f.queue->set_execution(SimWorkQueue::Execution::kAtStart);
  f.Run("a");
  f.Run("b");
  f.world.RunFor(milliseconds(500));
  f.queue->Finish();
  f.EndProcess();
  f.world.RunFor(std::chrono::minutes(1));
  REQUIRE(f.events == Events{"work a 0", "work b 500"});
}

TEST_CASE("sim work queue: while the disk stalls nothing is done") {
  Recorded f;
  f.queue->set_latency(milliseconds(10));
  f.Run("a");
  f.Run("b");
  f.world.RunFor(milliseconds(5));
  f.queue->StallUntil(f.world.Now() + std::chrono::minutes(5));
  f.world.RunFor(std::chrono::minutes(4));
  REQUIRE(f.events.empty());
  f.queue->StallUntil({});
  f.world.RunFor(milliseconds(20));
  REQUIRE(f.events == Events{"work a 240005", "done a 240005", "work b 240015", "done b 240015"});
}

TEST_CASE("sim work queue: what is under way can be taken from a process that ends") {
  Recorded f;
  REQUIRE_FALSE(f.queue->TakeUnderWay());
  f.Run("a");
  f.Run("b");
  const auto work = f.queue->TakeUnderWay();
  f.EndProcess();
  f.world.RunFor(seconds(1));
  REQUIRE(f.events.empty());
  work();
  REQUIRE(f.events == Events{"work a 1000"});
}

TEST_CASE("sim work queue: may end in a done") {
  Recorded f;
  bool told = false;
  f.queue->Run([] {},
               [&] {
                 f.EndProcess();
                 told = true;
               });
  f.Run("behind");
  f.world.RunFor(seconds(1));
  REQUIRE(told);
  REQUIRE(f.events.empty());
}

}  // namespace
}  // namespace tributary
