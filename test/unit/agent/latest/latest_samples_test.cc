#include "agent/latest/latest_samples.h"

#include <map>
#include <random>
#include <string>

#include "common/labels/labels.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr TimestampMs kLookBack = 300'000;
constexpr TimestampMs kStart = 1'700'000'000'000;

GroupRef MakeGroup(uint64_t target, uint64_t generation, uint32_t series) {
  std::vector<std::string> packed;
  for (uint32_t i = 0; i < series; i++) {
    PackLabels(Labels{{"__name__", "m"}, {"i", std::to_string(1000 + i)}}, packed.emplace_back());
  }
  return std::make_shared<const GroupDefinition>(
      target, generation, std::vector<std::string_view>(packed.begin(), packed.end()));
}

// A record of the series with these values, at the time of the scrape.
GroupSamples Scrape(const GroupRef& group, TimestampMs time,
                    const std::map<uint32_t, double>& values) {
  GroupSamples samples;
  samples.group = group;
  samples.timestamp = time;
  samples.present.resize((group->series() + 63) / 64);
  for (const auto& [index, value] : values) {
    samples.present[index / 64] |= uint64_t{1} << (index % 64);
    samples.values.push_back(value);
  }
  return samples;
}

std::shared_ptr<const GroupSamples> Share(GroupSamples samples) {
  return std::make_shared<const GroupSamples>(std::move(samples));
}

std::vector<LatestSample> Read(const LatestSamples& latest, const GroupRef& group,
                               TimestampMs now) {
  std::vector<LatestSample> samples(group->series());
  for (const LatestOfGroup& entry : latest.Snapshot()) {
    if (entry.group == group) FillLatest(entry, now, samples);
  }
  return samples;
}

TEST_CASE("latest: the last record's samples, by series") {
  LatestSamples latest(kLookBack);
  const GroupRef group = MakeGroup(7, 1, 100);
  latest.Take(Share(Scrape(group, kStart, {{0, 1}, {70, 2}})), kStart + 5);
  latest.Take(Share(Scrape(group, kStart + 1000, {{0, 3}, {70, 4}})), kStart + 1005);
  const auto samples = Read(latest, group, kStart + 2000);
  CHECK((samples[0].found && samples[0].value == 3 && samples[0].timestamp == kStart + 1000));
  CHECK((samples[70].found && samples[70].value == 4));
  CHECK_FALSE(samples[1].found);
  CHECK(latest.groups() == 1);
}

TEST_CASE("latest: the record is the log's own, and nothing else is kept while pages are alike") {
  LatestSamples latest(kLookBack);
  const GroupRef group = MakeGroup(7, 1, 500);
  std::map<uint32_t, double> all;
  for (uint32_t i = 0; i < 500; i++) all[i] = i;
  const auto record = Share(Scrape(group, kStart, all));
  latest.Take(record, kStart);
  CHECK(record.use_count() == 2);
  CHECK(latest.Snapshot()[0].record == record);
  const auto next = Share(Scrape(group, kStart + 1000, all));
  latest.Take(next, kStart + 1000);
  CHECK(record.use_count() == 1);
  CHECK(latest.Snapshot()[0].earlier == nullptr);
  CHECK(latest.memory_bytes() < 500 * 9 + 1000);
}

TEST_CASE("latest: what the last record does not have is kept for the look-back") {
  LatestSamples latest(kLookBack);
  const GroupRef group = MakeGroup(7, 1, 3);
  latest.Take(Share(Scrape(group, kStart, {{0, 1}, {1, StaleNan()}, {2, 5}})), kStart);
  latest.Take(Share(Scrape(group, kStart + 1000, {{2, 6}})), kStart + 1000);
  latest.Take(Share(Scrape(group, kStart + 2000, {{2, 7}})), kStart + 2000);
  auto samples = Read(latest, group, kStart + 2000);
  CHECK((samples[0].found && samples[0].value == 1 && samples[0].timestamp == kStart));
  CHECK((samples[1].found && samples[1].stale()));
  CHECK(samples[2].value == 7);
  const TimestampMs later = kStart + kLookBack + 1;
  latest.Take(Share(Scrape(group, later, {{2, 8}})), later);
  samples = Read(latest, group, later);
  CHECK_FALSE(samples[0].found);
  CHECK_FALSE(samples[1].found);
  CHECK(samples[2].value == 8);
}

TEST_CASE("latest: samples with times of their own, late, early and in the future") {
  LatestSamples latest(kLookBack);
  const GroupRef group = MakeGroup(7, 1, 2);
  GroupSamples first = Scrape(group, kStart, {{0, 1}});
  first.own = {{1, kStart - 5000, 10}, {1, kStart - 4000, 11}};
  latest.Take(Share(std::move(first)), kStart);
  GroupSamples second = Scrape(group, kStart + 1000, {});
  second.own = {{0, kStart - 1, 2}, {1, kStart + 60'000, 12}};
  latest.Take(Share(std::move(second)), kStart + 1000);
  auto samples = Read(latest, group, kStart + 1000);
  CHECK(samples[0].value == 1);
  CHECK(samples[1].value == 11);
  samples = Read(latest, group, kStart + 60'000);
  CHECK(samples[1].value == 12);
}

TEST_CASE("latest: histograms are samples like others") {
  LatestSamples latest(kLookBack);
  const GroupRef group = MakeGroup(7, 1, 2);
  GroupSamples first = Scrape(group, kStart, {{0, 1}});
  auto irregular = std::make_shared<IrregularSamples>();
  irregular->histograms.push_back({1, kStart, 0, false, "\x08\x05"});
  first.irregular = irregular;
  latest.Take(Share(std::move(first)), kStart);
  for (int i = 1; i < 4; i++) {
    latest.Take(Share(Scrape(group, kStart + i * 1000, {{0, 1}})), kStart + i * 1000);
  }
  auto samples = Read(latest, group, kStart + 4000);
  REQUIRE(samples[1].histogram != nullptr);
  // It is read while the snapshot that it is of is gone: kept by the group.
  const auto snapshot = latest.Snapshot();
  FillLatest(snapshot[0], kStart + 4000, samples);
  CHECK(samples[1].histogram->encoded == "\x08\x05");
  CHECK_FALSE(samples[1].stale());
  latest.Take(Share(Scrape(group, kStart + 5000, {{0, 1}, {1, StaleNan()}})), kStart + 5000);
  CHECK(Read(latest, group, kStart + 5000)[1].stale());
}

TEST_CASE("latest: a histogram that says its series has ended is stale") {
  LatestSample sample;
  HistogramSample histogram;
  histogram.encoded = std::string("\x08\x00\x19\x02\x00\x00\x00\x00\x00\xf0\x7f", 11);
  sample.histogram = &histogram;
  CHECK(sample.stale());
  histogram.encoded = std::string("\x08\x81\x01\x19\x02\x00\x00\x00\x00\x00\xf0\x7f", 12);
  CHECK(sample.stale());
  histogram.encoded =
      std::string("\x11\x00\x00\x00\x00\x00\x00\x00\x00\x19\x02\x00\x00\x00\x00\x00\xf0\x7f", 18);
  CHECK(sample.stale());
  for (const char* other : {"", "\x08", "\x08\x81", "\x11\x01", "\x08\x01\x19\x02", "\x08\x05\x20\x06"}) {
    histogram.encoded = other;
    CHECK_FALSE(sample.stale());
  }
}

TEST_CASE("latest: groups go when they are too old, whoever else goes on") {
  LatestSamples latest(kLookBack);
  const GroupRef old = MakeGroup(1, 1, 2), living = MakeGroup(2, 1, 2);
  latest.Take(Share(Scrape(old, kStart, {{0, 1}})), kStart);
  TimestampMs now = kStart;
  for (; now < kStart + 2 * kLookBack; now += 15'000) {
    latest.Take(Share(Scrape(living, now, {{0, 1}, {1, 2}})), now);
  }
  CHECK(latest.groups() == 1);
  CHECK(latest.Snapshot()[0].group == living);
  CHECK(old.use_count() == 1);
}

// Random records, with gaps, own times, markers and clocks that jump; the oracle keeps all samples.
TEST_CASE("latest: as if all samples of the look-back were kept") {
  const auto seed = static_cast<uint64_t>(Catch::rngSeed());
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto chance = [&](uint64_t of) { return random() % of == 0; };
  for (int round = 0; round < 30; round++) {
    LatestSamples latest(kLookBack);
    std::vector<GroupRef> groups;
    for (uint32_t i = 0; i < 4; i++) {
      groups.push_back(MakeGroup(i / 2, 1, static_cast<uint32_t>(1 + random() % 130)));
    }
    std::map<std::pair<size_t, uint32_t>, std::multimap<TimestampMs, double>> all;
    TimestampMs now = kStart;
    for (int step = 0; step < 60; step++) {
      now += static_cast<TimestampMs>(random() % 20'000);
      for (size_t g = 0; g < groups.size(); g++) {
        if (chance(5)) continue;
        const TimestampMs time = now - static_cast<TimestampMs>(chance(10) ? random() % 60'000 : 0);
        std::map<uint32_t, double> values;
        GroupSamples record;
        const bool ends = chance(6);
        for (uint32_t i = 0; i < groups[g]->series(); i++) {
          if (chance(ends ? 3 : 1000)) continue;
          values[i] = chance(20) ? StaleNan() : static_cast<double>(random() % 1000);
        }
        record = Scrape(groups[g], time, values);
        for (const auto& [i, value] : values) all[{g, i}].emplace(time, value);
        for (uint64_t own = chance(3) ? random() % 8 : 0; own > 0; own--) {
          const auto i = static_cast<uint32_t>(random() % groups[g]->series());
          if (values.count(i) != 0) continue;
          const TimestampMs at = now - static_cast<TimestampMs>(random() % 100'000);
          record.own.push_back({i, at, static_cast<double>(random() % 1000)});
          all[{g, i}].emplace(at, record.own.back().value);
        }
        if (!record.empty()) latest.Take(Share(std::move(record)), now);
      }
      for (size_t g = 0; g < groups.size(); g++) {
        const auto samples = Read(latest, groups[g], now);
        for (uint32_t i = 0; i < groups[g]->series(); i++) {
          auto& expected = all[{g, i}];
          const bool is_there = !expected.empty() && expected.rbegin()->first >= now - kLookBack;
          if (!is_there) {
            CHECK((!samples[i].found || samples[i].timestamp < now - kLookBack));
            continue;
          }
          REQUIRE(samples[i].found);
          CHECK(samples[i].timestamp == expected.rbegin()->first);
          // Of those with the same time the one that came last.
          CHECK(std::bit_cast<uint64_t>(samples[i].value) ==
                std::bit_cast<uint64_t>(expected.rbegin()->second));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tributary
