#include "agent/federate/series_sorter.h"

#include <algorithm>
#include <map>
#include <random>

#include "test/support/catch.h"
#include "test/unit/agent/federate/federate_world.h"

namespace tributary {
namespace {

constexpr SeriesSorterOptions kOptions{.now = kPageNow, .look_back_ms = 300'000};

std::vector<SeriesSelector> Selectors(const std::vector<std::string>& texts) {
  std::vector<SeriesSelector> selectors;
  for (const std::string& text : texts) selectors.push_back(*SeriesSelector::Parse(text));
  return selectors;
}

struct Sorted {
  Labels labels;
  TimestampMs timestamp = 0;
  double value = 0;
  bool operator==(const Sorted&) const = default;
};

std::vector<Sorted> Drain(SeriesSorter& sorter) {
  std::vector<Sorted> all;
  for (auto batch = sorter.Next(); !batch.empty(); batch = sorter.Next()) {
    for (const SortedSeries& series : batch) {
      std::string_view name;
      std::vector<LabelView> views;
      std::deque<std::string> texts;
      ReadSeriesKey(series.key, name, views, texts);
      Labels labels;
      for (const LabelView& label : views) labels.Set(label.name, label.value);
      labels.Set(kMetricName, name);
      all.push_back({labels, series.timestamp, series.value});
    }
  }
  return all;
}

std::vector<std::string> Names(std::vector<LatestOfGroup> groups,
                               const std::vector<std::string>& selectors) {
  SeriesSorter sorter(std::move(groups), Selectors(selectors), kOptions);
  std::vector<std::string> names;
  for (const Sorted& series : Drain(sorter)) names.emplace_back(series.labels.Get(kMetricName));
  return names;
}

TEST_CASE("sorter: by name over all groups, then label by label") {
  const auto one = MakeLatest({{Labels{{"__name__", "b"}, {"z", "1"}}, 1},
                               {Labels{{"__name__", "a"}, {"z", "2"}}, 2}});
  const auto other = MakeLatest({{Labels{{"__name__", "a"}, {"y", "9"}}, 3},
                                 {Labels{{"__name__", "a"}}, 4},
                                 {Labels{{"__name__", "a"}, {"y", "10"}, {"z", "0"}}, 5}});
  SeriesSorter sorter({one, other}, Selectors({"{__name__!=''}"}), kOptions);
  std::vector<double> values;
  for (const Sorted& series : Drain(sorter)) values.push_back(series.value);
  CHECK(values == std::vector<double>{4, 5, 3, 2, 1});
  CHECK(sorter.passes() == 1);
}

TEST_CASE("sorter: what any selector selects, once") {
  const auto group = MakeLatest({{Labels{{"__name__", "a"}, {"job", "x"}}, 1},
                                 {Labels{{"__name__", "b"}, {"job", "y"}}, 2},
                                 {Labels{{"__name__", "c"}, {"job", "z"}}, 3}});
  CHECK(Names({group}, {"{job=~'x|y'}", "a"}) == std::vector<std::string>{"a", "b"});
  CHECK(Names({group}, {}).empty());
  CHECK(Names({group}, {"{}"}).empty());
  CHECK(Names({}, {"a"}).empty());
}

TEST_CASE("sorter: series that have ended, are too old, in the future or without a name are not told") {
  const auto group =
      MakeLatest({{Labels{{"__name__", "ended"}}, StaleNan()},
                  {Labels{{"__name__", "old"}}, 1, kPageNow - 300'001},
                  {Labels{{"__name__", "oldest"}}, 1, kPageNow - 300'000},
                  {Labels{{"__name__", "future"}}, 1, kPageNow + 1},
                  {Labels{{"nameless", "x"}}, 1},
                  {Labels{{"__name__", "there"}}, 1}});
  CHECK(Names({group}, {"{a=''}"}) == std::vector<std::string>{"oldest", "there"});
}

TEST_CASE("sorter: of a series in several groups the latest sample counts") {
  const Labels m{{"__name__", "m"}}, n{{"__name__", "n"}}, o{{"__name__", "o"}};
  const auto before = MakeLatest(
      {{m, 1, kPageNow - 1000}, {n, 1, kPageNow - 1000}, {o, StaleNan(), kPageNow - 500}}, 1);
  const auto after = MakeLatest({{m, 2}, {n, StaleNan()}, {o, 3, kPageNow - 500}}, 2);
  const std::vector<Sorted> expected{{m, kPageNow, 2}, {o, kPageNow - 500, 3}};
  for (const auto& groups : {std::vector{before, after}, std::vector{after, before}}) {
    SeriesSorter sorter(groups, Selectors({"{__name__!=''}"}), kOptions);
    CHECK(Drain(sorter) == expected);
  }
}

TEST_CASE("sorter: names and values with any bytes are given out as they are, in their order") {
  const std::string nul("a\0b", 3), nul_end("a\0", 2);
  const std::vector<std::string> values{"a", nul_end, nul, std::string("a\0\xff", 3), "a\1", "ab"};
  std::vector<PageSample> samples;
  for (size_t i = 0; i < values.size(); i++) {
    samples.push_back({Labels{{"__name__", "m"}, {nul, values[i]}}, static_cast<double>(i)});
    samples.push_back({Labels{{"__name__", "n" + values[i]}}, static_cast<double>(i)});
  }
  for (const size_t bytes : {size_t{1}, size_t{1} << 20}) {
    SeriesSorter sorter({MakeLatest(samples)}, Selectors({"{x=''}"}),
                        {kPageNow, 300'000, bytes});
    const auto sorted = Drain(sorter);
    REQUIRE(sorted.size() == 12);
    for (size_t i = 0; i < 6; i++) {
      CHECK(sorted[i].labels.Get(nul) == values[i]);
      CHECK(sorted[i + 6].labels.Get(kMetricName) == "n" + values[i]);
    }
  }
}

TEST_CASE("sorter: any memory gives the same page, and is not exceeded") {
  const auto seed = static_cast<uint64_t>(Catch::rngSeed());
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; round++) {
    std::vector<LatestOfGroup> groups;
    std::map<std::pair<std::string, Labels>, Sorted> expected;
    size_t in_all = 0;
    for (int g = 0; g < 8; g++) {
      std::map<Labels, PageSample> samples;
      for (int i = 0; i < 300; i++) {
        Labels labels{{"__name__", "m" + std::to_string(random() % 12)},
                      {"a", std::to_string(random() % 30)},
                      {"b", std::string(random() % 40, 'x') + std::to_string(random() % 9)}};
        const double value = random() % 5 == 0 ? StaleNan() : static_cast<double>(random() % 100);
        const auto time = kPageNow - static_cast<TimestampMs>(random() % 100);
        samples.insert_or_assign(labels, PageSample{labels, value, time});
      }
      std::vector<PageSample> list;
      for (const auto& [labels, sample] : samples) {
        list.push_back(sample);
        Labels rest = labels;
        rest.Remove(kMetricName);
        auto [it, is_new] = expected.try_emplace(
            {std::string(labels.Get(kMetricName)), rest},
            Sorted{labels, sample.timestamp, sample.value});
        Sorted& kept = it->second;
        const bool wins = sample.timestamp > kept.timestamp ||
                          (sample.timestamp == kept.timestamp && IsStaleNan(kept.value));
        if (!is_new && wins) kept = {labels, sample.timestamp, sample.value};
      }
      in_all += list.size();
      groups.push_back(MakeLatest(list));
    }
    std::vector<Sorted> page;
    for (const auto& [key, sample] : expected) {
      if (!IsStaleNan(sample.value)) page.push_back(sample);
    }
    for (const size_t bytes : {size_t{4} << 10, size_t{30} << 10, size_t{1} << 20}) {
      SeriesSorter sorter(groups, Selectors({"{__name__!=''}"}), {kPageNow, 300'000, bytes});
      const auto sorted = Drain(sorter);
      REQUIRE(sorted.size() == page.size());
      CHECK(std::equal(sorted.begin(), sorted.end(), page.begin(),
                       [](const Sorted& a, const Sorted& b) {
                         return a.labels == b.labels && a.timestamp == b.timestamp;
                       }));
      CHECK(sorter.bytes_peak() <= bytes + 300);
      // Each pass gives out half of what fits, or more.
      CHECK(sorter.passes() <= 2 + 2 * in_all * 160 / bytes);
    }
  }
}

}  // namespace
}  // namespace tributary
