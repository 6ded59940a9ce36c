#include "agent/remote/shard_calculator.h"

#include <cmath>
#include <random>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr ShardCalculator::Inputs kUpTo50{1, 1, 50, 0};

// Ticks until the averages have settled.
uint64_t Settle(ShardCalculator& calculator, const ShardCalculator::Inputs& inputs, uint64_t in,
                uint64_t dropped, uint64_t out, nanoseconds duration) {
  uint64_t shards = 0;
  for (int i = 0; i < 200; i++) {
    calculator.AddIn(in);
    calculator.AddDropped(dropped);
    calculator.AddOut(out, duration);
    shards = calculator.Tick(inputs);
  }
  return shards;
}

TEST_CASE("EWMA: the first tick with events sets the rate, later ones move it by a fifth") {
  EwmaRate rate;
  rate.Tick(10);
  rate.Tick(10);
  CHECK(rate.rate() == 0);
  rate.Add(300);
  rate.Add(200);
  rate.Tick(10);
  CHECK(rate.rate() == 50);
  rate.Add(1000);
  rate.Tick(10);
  CHECK(rate.rate() == Approx(60));  // 50 + 0.2 * (100 - 50)
  rate.Tick(10);
  CHECK(rate.rate() == Approx(48));  // 60 + 0.2 * (0 - 60)
}

TEST_CASE("shards: without anything sent the number stays") {
  ShardCalculator calculator;
  calculator.AddIn(1000000);
  CHECK(calculator.Tick({7, 1, 50, 1000}) == 7);
  CHECK(calculator.desired() == 0);
}

TEST_CASE("shards: values computed by hand") {
  SECTION("10,000 samples in, 1,000 out in 10 s of sending: 10 ms a sample, 1,000 a second: 10") {
    ShardCalculator calculator;
    CHECK(Settle(calculator, kUpTo50, 10000, 0, 1000, seconds(10)) == 10);
    CHECK(calculator.desired() == Approx(10));
  }
  SECTION(
      "20 s behind: 20,000 samples wait, a twentieth of them is caught up with each second: 20") {
    ShardCalculator calculator;
    CHECK(Settle(calculator, {1, 1, 50, 20}, 10000, 0, 1000, seconds(10)) == 20);
    CHECK(calculator.desired() == Approx(20));
  }
  SECTION("half of what comes in is dropped: half the shards") {
    ShardCalculator calculator;
    CHECK(Settle(calculator, kUpTo50, 10000, 1000, 1000, seconds(10)) == 5);
    CHECK(calculator.desired() == Approx(5));
  }
  SECTION("rounded up") {
    ShardCalculator calculator;
    CHECK(Settle(calculator, kUpTo50, 10100, 0, 1000, seconds(10)) == 11);
  }
  SECTION("no more than the maximum, no fewer than the minimum") {
    ShardCalculator calculator;
    CHECK(Settle(calculator, {1, 1, 6, 0}, 10000, 0, 1000, seconds(10)) == 6);
    ShardCalculator idle;
    CHECK(Settle(idle, {20, 3, 50, 0}, 10, 0, 1000, seconds(1)) == 3);
  }
  SECTION("more than an integer holds is the maximum") {
    ShardCalculator calculator;
    CHECK(Settle(calculator, {1, 1, 50, 1e300}, 10000, 0, 1, seconds(10)) == 50);
  }
}

TEST_CASE("shards: changes of less than a third are left") {
  // 1,000 samples a second at 1 ms each: `wanted` is a tenth of `in` per tick over 100.
  auto with = [](uint64_t shards, uint64_t in) {
    ShardCalculator calculator;
    return Settle(calculator, {shards, 1, 50, 0}, in, 0, 1000, seconds(10));
  };
  CHECK(with(10, 13000) == 10);  // 13 = 10 * 1.3
  CHECK(with(10, 13900) == 14);
  CHECK(with(10, 7000) == 10);  // 7 = 10 * 0.7
  CHECK(with(10, 5900) == 6);
}

TEST_CASE("shards: not fewer while more than 10 s behind") {
  auto with = [](double delay) {
    ShardCalculator calculator;
    return Settle(calculator, {20, 1, 50, delay}, 1000, 0, 1000, seconds(10));
  };
  CHECK(with(0) == 1);
  CHECK(with(10) == 2);
  CHECK(with(10.5) == 20);
  CHECK(with(11) == 20);
}

TEST_CASE("shards: a delay below zero is none") {
  ShardCalculator calculator;
  CHECK(Settle(calculator, {1, 1, 50, -1000}, 10000, 0, 1000, seconds(10)) == 10);
}

// The same from the whole history, by the closed form of the average: the first rate weighs 0.8^n,
// the k-th after it 0.2 * 0.8^(n-k).
double SlowEwma(const std::vector<double>& events) {
  size_t first = 0;
  while (first < events.size() && events[first] == 0) first++;
  if (first == events.size()) return 0;
  double rate = events[first] / 10 * std::pow(0.8, static_cast<double>(events.size() - 1 - first));
  for (size_t k = first + 1; k < events.size(); k++) {
    rate += events[k] / 10 * 0.2 * std::pow(0.8, static_cast<double>(events.size() - 1 - k));
  }
  return rate;
}

TEST_CASE("shards: agrees with the formula written out, over random histories") {
  const auto seed = GENERATE(range(1u, 31u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  ShardCalculator calculator;
  std::vector<double> in, dropped, out, busy;
  uint64_t shards = 1, changes = 0;
  for (int tick = 0; tick < 100; tick++) {
    const uint64_t samples = random() % 3 == 0 ? 0 : random() % 200000;
    const uint64_t refused = random() % 2 == 0 ? 0 : random() % 50000;
    const uint64_t sent = random() % 4 == 0 ? 0 : random() % 150000;
    const nanoseconds duration(sent == 0 ? 0 : static_cast<int64_t>(random() % 100'000'000'000));
    const double delay = random() % 2 == 0 ? 0 : static_cast<double>(random() % 40);
    in.push_back(static_cast<double>(samples));
    dropped.push_back(static_cast<double>(refused));
    out.push_back(static_cast<double>(sent));
    busy.push_back(static_cast<double>(duration.count()) / 1e9);
    calculator.AddIn(samples);
    calculator.AddDropped(refused);
    calculator.AddOut(sent, duration);
    const uint64_t got = calculator.Tick({shards, 2, 40, delay});

    const double out_rate = SlowEwma(out);
    uint64_t expected = shards;
    if (out_rate > 0) {
      const double kept = out_rate / (SlowEwma(dropped) + out_rate);
      const double needed = SlowEwma(in) * kept;
      const double desired = SlowEwma(busy) / out_rate * (needed + delay * needed / 20);
      REQUIRE(calculator.desired() == Approx(desired).epsilon(1e-9));
      const double whole = std::ceil(desired);
      const bool close = std::abs(whole - static_cast<double>(shards)) <=
                         0.3 * static_cast<double>(shards) + 1e-12;
      const bool behind = whole < static_cast<double>(shards) && delay > 10;
      if (!close && !behind) {
        expected = whole > 40 ? 40 : whole < 2 ? 2 : static_cast<uint64_t>(whole);
      }
    }
    REQUIRE(got == expected);
    changes += got != shards;
    shards = got;
  }
  CHECK(changes > 0);
}

}  // namespace
}  // namespace tributary
