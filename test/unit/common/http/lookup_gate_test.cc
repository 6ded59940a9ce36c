#include "common/http/lookup_gate.h"

#include <random>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

MonotonicTime At(int second) { return MonotonicTime(seconds(second)); }

TEST_CASE("lookup gate: addresses and localhost need no look-up") {
  const LookupGate gate(32);
  for (const char* host : {"127.0.0.1", "10.1.2.3", "[::1]", "[fe80::1]", "localhost"}) {
    INFO(host);
    REQUIRE(gate.Known(host, At(0)));
  }
  for (const char* host : {"a", "node-1.example", "127.0.0.1.example", "1.2.3.4.5"}) {
    INFO(host);
    REQUIRE_FALSE(gate.Known(host, At(0)));
  }
}

TEST_CASE("lookup gate: a name that was resolved is known for 50 seconds") {
  LookupGate gate(32);
  REQUIRE(gate.Enter("a"));
  gate.Leave("a", true, At(10));
  REQUIRE(gate.Known("a", At(59)));
  REQUIRE_FALSE(gate.Known("a", At(60)));
  REQUIRE(gate.Enter("b"));
  gate.Leave("b", false, At(10));
  REQUIRE_FALSE(gate.Known("b", At(10)));
}

TEST_CASE("lookup gate: one name takes an eighth of the places") {
  LookupGate gate(32);
  for (int i = 0; i < 4; i++) REQUIRE(gate.Enter("slow"));
  REQUIRE_FALSE(gate.Enter("slow"));
  REQUIRE(gate.Enter("other"));
  gate.Leave("slow", false, At(0));
  REQUIRE(gate.Enter("slow"));
}

TEST_CASE("lookup gate: no more look-ups than allowed run, whatever comes and goes") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const size_t places : {0, 1, 7, 32}) {
    LookupGate gate(places);
    std::vector<std::string> running;
    for (int step = 0; step < 20'000; step++) {
      if (random() % 2 == 0) {
        const std::string name = "name-" + std::to_string(random() % 5'000);
        const bool entered = gate.Enter(name);
        if (entered) running.push_back(name);
        if (!entered && places >= 8) REQUIRE(running.size() >= 4);
      } else if (!running.empty()) {
        std::swap(running[random() % running.size()], running.back());
        gate.Leave(running.back(), random() % 2 == 0, At(step / 100));
        running.pop_back();
      }
      REQUIRE(gate.running() == running.size());
      REQUIRE(running.size() <= std::max<size_t>(places, 1));
    }
    for (const std::string& name : running) gate.Leave(name, false, At(1'000'000));
    REQUIRE(gate.running() == 0);
  }
}

}  // namespace
}  // namespace tributary
