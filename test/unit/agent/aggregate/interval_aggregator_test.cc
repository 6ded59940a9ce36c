#include "agent/aggregate/interval_aggregator.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "agent/series/samples.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using Outcome = IntervalAggregator::Outcome;

constexpr TimestampMs kMinute = 60'000;
constexpr TimestampMs kStart = 28'333'334 * kMinute;  // the end of an interval

using Emitted = std::vector<std::pair<uint32_t, IntervalAggregate>>;

Emitted CloseAt(IntervalAggregator& aggregator, TimestampMs now) {
  Emitted emitted;
  aggregator.Close(now, [&](uint32_t output, const IntervalAggregate& aggregate) {
    emitted.emplace_back(output, aggregate);
  });
  return emitted;
}

TEST_CASE("interval aggregator: an input counts with its last value in the interval") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t output = aggregator.AddOutput();
  uint32_t a = aggregator.AddInput(output), b = aggregator.AddInput(output);
  aggregator.Take(a, kStart + 1'000, 100);
  aggregator.Take(a, kStart + 31'000, 3);
  aggregator.Take(b, kStart + 60'000, 5);  // the end belongs to it
  aggregator.Take(a, kStart + 60'001, 7);  // does not
  CHECK(CloseAt(aggregator, kStart + 69'999).empty());
  Emitted emitted = CloseAt(aggregator, kStart + 70'000);
  REQUIRE(emitted.size() == 1);
  const IntervalAggregate& aggregate = emitted[0].second;
  CHECK(aggregate.end == kStart + kMinute);
  CHECK(aggregate.count == 2);
  CHECK(aggregate.sum == 8);
  CHECK(aggregate.min == 3);
  CHECK(aggregate.max == 5);
  CHECK(aggregate.last == 5);
  CHECK(CloseAt(aggregator, kStart + 70'000).empty());
}

TEST_CASE("interval aggregator: samples late within the window count, later ones move nothing") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t a = aggregator.AddInput(aggregator.AddOutput());
  CHECK(aggregator.Take(a, kStart + 10'000, 10) == Outcome::kTaken);
  CHECK(CloseAt(aggregator, kStart + 69'000).empty());
  CHECK(aggregator.Take(a, kStart + 50'000, 14) == Outcome::kTaken);
  Emitted first = CloseAt(aggregator, kStart + 70'000);
  REQUIRE(first.size() == 1);
  CHECK(first[0].second.increase == 4);
  CHECK(aggregator.Take(a, kStart + 55'000, 16) == Outcome::kLate);
  CHECK(aggregator.Take(a, kStart + 70'000, 20) == Outcome::kTaken);
  Emitted second = CloseAt(aggregator, kStart + 130'000);
  REQUIRE(second.size() == 1);
  CHECK(second[0].second.increase == 6);
  CHECK(aggregator.stats().late == 1);
}

TEST_CASE("interval aggregator: any time is judged before it is computed with") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t a = aggregator.AddInput(aggregator.AddOutput());
  CHECK(aggregator.Take(a, std::numeric_limits<TimestampMs>::max(), 1) == Outcome::kAhead);
  CHECK(aggregator.Take(a, std::numeric_limits<TimestampMs>::min(), 1) == Outcome::kLate);
  CHECK(aggregator.Take(a, kStart + kMinute, 1) == Outcome::kTaken);
  CHECK(aggregator.Take(a, kStart + kMinute, 1) == Outcome::kOutOfOrder);
}

TEST_CASE("interval aggregator: a reset counts from 0, a first sample is no increase") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t a = aggregator.AddInput(aggregator.AddOutput());
  aggregator.Take(a, kStart + 10'000, 1'000);
  aggregator.Take(a, kStart + 20'000, 1'002);
  aggregator.Take(a, kStart + 30'000, 5);
  Emitted emitted = CloseAt(aggregator, kStart + 70'000);
  REQUIRE(emitted.size() == 1);
  CHECK(emitted[0].second.increase == 7);
  CHECK(emitted[0].second.increase_count == 1);
}

TEST_CASE("interval aggregator: a marker takes an input out and does not end its counter") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t a = aggregator.AddInput(aggregator.AddOutput());
  aggregator.Take(a, kStart + 10'000, 10);
  aggregator.Take(a, kStart + 20'000, 12);
  aggregator.Take(a, kStart + 30'000, StaleNan());
  Emitted first = CloseAt(aggregator, kStart + 70'000);
  REQUIRE(first.size() == 1);
  CHECK(first[0].second.count == 0);
  CHECK(first[0].second.increase == 2);
  aggregator.Take(a, kStart + 90'000, 15);
  Emitted second = CloseAt(aggregator, kStart + 130'000);
  REQUIRE(second.size() == 1);
  CHECK(second[0].second.count == 1);
  CHECK(second[0].second.increase == 3);
}

TEST_CASE("interval aggregator: of the latest samples at one time the highest is the last") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t output = aggregator.AddOutput();
  for (double value : {2, 9, 4}) {
    aggregator.Take(aggregator.AddInput(output), kStart + 30'000, value);
  }
  aggregator.Take(aggregator.AddInput(output), kStart + 29'999, 50);
  Emitted emitted = CloseAt(aggregator, kStart + 70'000);
  REQUIRE(emitted.size() == 1);
  CHECK(emitted[0].second.last == 9);
  CHECK(emitted[0].second.last_time == kStart + 30'000);
}

TEST_CASE("interval aggregator: a gap longer than stale_ms starts a counter anew") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t a = aggregator.AddInput(aggregator.AddOutput());
  aggregator.Take(a, kStart + 10'000, 1);
  // It counts as long as PromQL would take it: until its sample is 5 minutes old.
  Emitted still = CloseAt(aggregator, kStart + 6 * kMinute + 10'000);
  REQUIRE(still.size() == 5);
  CHECK(still.back().second.end == kStart + 5 * kMinute);
  CHECK(still.back().second.sum == 1);
  aggregator.Take(a, kStart + 370'000, 4);  // too long after the first one
  aggregator.SetNow(kStart + 670'000);
  aggregator.Take(a, kStart + 670'000, 9);  // stale_ms later
  Emitted later = CloseAt(aggregator, kStart + 12 * kMinute + 10'000);
  REQUIRE(later.size() == 6);
  CHECK(later.front().second.increase_count == 0);
  CHECK(later.back().second.increase == 5);
}

TEST_CASE("interval aggregator: the interval in progress at the start is not given out") {
  IntervalAggregator aggregator({}, kStart + 25'000);
  uint32_t a = aggregator.AddInput(aggregator.AddOutput());
  CHECK(aggregator.Take(a, kStart + 26'000, 1) == Outcome::kTaken);
  CHECK(CloseAt(aggregator, kStart + 70'000).empty());
  CHECK(aggregator.Take(a, kStart + 86'000, 3) == Outcome::kTaken);
  Emitted emitted = CloseAt(aggregator, kStart + 130'000);
  REQUIRE(emitted.size() == 1);
  CHECK(emitted[0].second.increase == 2);
}

TEST_CASE("interval aggregator: another one goes on with what was known") {
  IntervalAggregator before({}, kStart);
  uint32_t output = before.AddOutput();
  uint32_t a = before.AddInput(output), b = before.AddInput(output);
  before.Take(a, kStart + 10'000, 10);
  before.Take(b, kStart + 10'000, 100);
  before.Take(a, kStart + 20'000, 12);
  before.SetNow(kStart + 69'000);
  before.Take(a, kStart + 61'000, 15);
  before.Take(a, kStart + 125'000, 16);  // two intervals wait in the output
  REQUIRE(before.open(output).size() == 2);

  IntervalAggregator after({}, kStart + 135'000);
  after.Resume(before.closed());
  uint32_t there = after.AddOutput();
  CHECK(after.AddInput(there, before.input(a)) == a);
  CHECK(after.AddInput(there, before.input(b)) == b);
  for (const IntervalAggregate& open : before.open(output)) after.AddOpen(there, open);
  after.Take(a, kStart + 140'000, 20);
  after.Take(b, kStart + 140'000, 90);  // a reset
  Emitted emitted = CloseAt(after, kStart + 190'000);
  // What ended meanwhile is gone, what was gained in it is not.
  REQUIRE(emitted.size() == 1);
  CHECK(emitted[0].second.end == kStart + 3 * kMinute);
  CHECK(emitted[0].second.increase == 10 + 90);
  CHECK(emitted[0].second.sum == 110);
}

TEST_CASE("interval aggregator: what a removed input gave counts, its number begins anew") {
  IntervalAggregator aggregator({}, kStart);
  uint32_t output = aggregator.AddOutput();
  uint32_t a = aggregator.AddInput(output);
  aggregator.Take(a, kStart + 20'000, 1);
  aggregator.Take(a, kStart + 30'000, 4);
  aggregator.RemoveInput(a);
  uint32_t other = aggregator.AddOutput();
  uint32_t b = aggregator.AddInput(other);
  REQUIRE(b == a);
  CHECK(aggregator.Take(b, kStart + 10'000, 100) == Outcome::kTaken);
  Emitted emitted = CloseAt(aggregator, kStart + 70'000);
  REQUIRE(emitted.size() == 2);
  CHECK(emitted[0].second.sum == 4);
  CHECK(emitted[0].second.increase == 3);
  CHECK(emitted[1].second.sum == 100);
  CHECK(emitted[1].second.increase_count == 0);
}

TEST_CASE("interval aggregator: parts of several aggregators join to what one has of all") {
  std::mt19937 random(Catch::rngSeed());
  for (int run = 0; run < 200; run++) {
    IntervalAggregator one({}, kStart);
    one.AddOutput();
    std::vector<IntervalAggregator> several(3, one);
    for (int i = 0; i < 7; i++) {
      IntervalAggregator& part = several[random() % 3];
      uint32_t in_one = one.AddInput(0), in_part = part.AddInput(0);
      TimestampMs time = kStart;
      for (size_t samples = random() % 4; samples > 0; samples--) {
        time += 1 + static_cast<TimestampMs>(random() % 3) * 7'000;
        double value = random() % 5 == 0 ? StaleNan() : static_cast<double>(random() % 100) - 50;
        REQUIRE(one.Take(in_one, time, value) == Outcome::kTaken);
        REQUIRE(part.Take(in_part, time, value) == Outcome::kTaken);
      }
    }
    IntervalAggregate joined;
    for (auto part = several.rbegin(); part != several.rend(); ++part) {
      for (const auto& [output, aggregate] : CloseAt(*part, kStart + 70'000)) {
        Join(joined, aggregate);
      }
    }
    Emitted all = CloseAt(one, kStart + 70'000);
    REQUIRE(all.size() <= 1);
    const IntervalAggregate should = all.empty() ? IntervalAggregate{} : all[0].second;
    REQUIRE(joined.count == should.count);
    REQUIRE(joined.sum == should.sum);  // of whole numbers: exact
    REQUIRE(joined.min == should.min);
    REQUIRE(joined.max == should.max);
    REQUIRE(joined.last == should.last);
    REQUIRE(joined.last_time == should.last_time);
    REQUIRE(joined.increase_count == should.increase_count);
    REQUIRE(joined.increase == should.increase);
  }
}

// All samples are kept, and each interval is worked out anew from them.
struct Oracle {
  IntervalOptions options;
  std::vector<uint32_t> output_of;
  std::vector<std::vector<std::pair<TimestampMs, double>>> samples;  // of each input

  // By PromQL's words: values at the end, increases over what lies in (end - interval, end].
  std::map<uint32_t, IntervalAggregate> At(TimestampMs end) const {
    std::map<uint32_t, IntervalAggregate> result;
    for (size_t input = 0; input < samples.size(); input++) {
      std::optional<std::pair<TimestampMs, double>> newest, before;
      bool stale = false;
      double increase = 0;
      uint64_t increases = 0;
      for (const auto& sample : samples[input]) {
        if (sample.first > end) break;
        bool inside = sample.first > end - options.interval_ms;
        stale = IsStaleNan(sample.second);
        if (stale) continue;
        newest = sample;
        if (inside) {
          if (before && sample.first - before->first <= options.stale_ms) {
            bool reset = sample.second < before->second;
            increase += reset ? sample.second : sample.second - before->second;
            increases++;
          }
        }
        before = sample;
      }
      bool live = newest && !stale && newest->first > end - options.stale_ms;
      if (!live && increases == 0) continue;
      IntervalAggregate& aggregate = result[output_of[input]];
      aggregate.end = end;
      if (live) {
        double value = newest->second;
        bool first = aggregate.count++ == 0;
        aggregate.sum += value;
        aggregate.min = first ? value : std::min(aggregate.min, value);
        aggregate.max = first ? value : std::max(aggregate.max, value);
        std::pair key{newest->first, value};
        if (first || key > std::pair{aggregate.last_time, aggregate.last}) {
          aggregate.last_time = key.first;
          aggregate.last = key.second;
        }
      }
      if (increases > 0) {
        aggregate.increase_count++;
        aggregate.increase += increase;
      }
    }
    return result;
  }
};

TEST_CASE("interval aggregator: random samples, as worked out from all of them") {
  const auto seed = static_cast<uint32_t>(Catch::rngSeed());  // --rng-seed
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](int64_t end) { return static_cast<int64_t>(random() % end); };
  uint64_t intervals = 0;
  for (int run = 0; run < 30; run++) {
    IntervalOptions options{.late_ms = below(100'000), .ahead_ms = below(150'000)};
    TimestampMs now = kStart;
    IntervalAggregator aggregator(options, now);
    Oracle oracle{options, {}, std::vector<std::vector<std::pair<TimestampMs, double>>>(12)};
    for (int i = 0; i < 3; i++) aggregator.AddOutput();
    std::vector<TimestampMs> times(12, now);
    for (uint32_t i = 0; i < 12; i++) {
      oracle.output_of.push_back(i % 3);
      REQUIRE(aggregator.AddInput(i % 3) == i);
    }
    TimestampMs closed = aggregator.closed();
    for (int step = 0; step < 1'500; step++) {
      auto input = static_cast<uint32_t>(below(12));
      TimestampMs& time = times[input];
      // Mostly near the clock; now and then it stays away for long.
      time = std::max(time + below(3'000) - 200, now - 120'000 + below(270'000));
      if (below(3) > 0) time = std::max(times[input] - below(40'000), now - below(30'000));
      double value = below(20) == 0 ? StaleNan() : static_cast<double>(below(1'000));
      auto& samples = oracle.samples[input];
      Outcome expected = time <= closed                                     ? Outcome::kLate
                         : time > now + options.ahead_ms                    ? Outcome::kAhead
                         : !samples.empty() && time <= samples.back().first ? Outcome::kOutOfOrder
                                                                            : Outcome::kTaken;
      REQUIRE(aggregator.Take(input, time, value) == expected);
      if (expected == Outcome::kTaken) samples.emplace_back(time, value);
      now += below(100) == 0 ? below(600'000) : below(2'000);
      Emitted emitted = CloseAt(aggregator, now);
      Emitted by_oracle;
      while (closed + options.interval_ms <= now - options.late_ms) {
        closed += options.interval_ms;
        if (closed <= kStart) continue;
        for (const auto& entry : oracle.At(closed)) by_oracle.push_back(entry);
      }
      REQUIRE(aggregator.closed() == closed);
      std::ranges::stable_sort(by_oracle, {}, &Emitted::value_type::first);
      REQUIRE(emitted.size() == by_oracle.size());
      for (size_t i = 0; i < emitted.size(); i++) {
        const IntervalAggregate &is = emitted[i].second, &should = by_oracle[i].second;
        REQUIRE(emitted[i].first == by_oracle[i].first);
        REQUIRE(is.end == should.end);
        REQUIRE(is.count == should.count);
        REQUIRE(is.sum == should.sum);  // of whole numbers: exact
        REQUIRE(is.min == should.min);
        REQUIRE(is.max == should.max);
        REQUIRE(is.last == should.last);
        REQUIRE(is.increase_count == should.increase_count);
        REQUIRE(is.increase == should.increase);
        intervals++;
      }
    }
  }
  CHECK(intervals > 1'000);
}

}  // namespace
}  // namespace tributary
