#include "agent/remote/request_split.h"

#include <algorithm>
#include <optional>
#include <random>
#include <set>

#include "agent/remote/refused_series.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using Piece = RequestSplit::Piece;

// What a receiver that refuses a request for one bad entry makes of a split.
struct Outcome {
  std::vector<Piece> sent;
  std::set<uint32_t> accepted, refused;
};

Outcome Run(const std::vector<RequestSplit::Series>& series, const std::set<uint32_t>& bad,
            uint32_t requests_max, bool shared = true) {
  RequestSplit split(series, requests_max);
  Outcome outcome;
  if (!split.divides()) return outcome;
  std::vector<Piece> refused;
  auto next = [&]() -> std::optional<Piece> {
    for (;;) {
      if (const auto piece = split.Next()) return piece;
      const auto again = std::find_if(refused.begin(), refused.end(),
                                      [&](const Piece& piece) { return split.Reopen(piece); });
      if (again == refused.end()) return std::nullopt;
      for (uint32_t i = again->begin; i < again->end; i++) outcome.refused.erase(i);
      refused.erase(again);
    }
  };
  while (const auto piece = next()) {
    outcome.sent.push_back(*piece);
    const auto first = bad.lower_bound(piece->begin);
    const bool is_bad = first != bad.end() && *first < piece->end;
    if (!is_bad) split.Accepted();
    if (is_bad && split.Divide(shared)) continue;
    if (is_bad) refused.push_back(*piece);
    for (uint32_t i = piece->begin; i < piece->end; i++) {
      CHECK((is_bad ? outcome.refused : outcome.accepted).insert(i).second);
    }
  }
  CHECK(split.sent() == outcome.sent.size());
  return outcome;
}

std::vector<RequestSplit::Series> SeriesOf(uint32_t count, uint32_t entries = 1) {
  std::vector<RequestSplit::Series> series;
  for (uint32_t i = 0; i < count; i++) series.push_back({i * entries, (i + 1) * entries, false});
  return series;
}

TEST_CASE("request split: finds one bad series of any, within 32 requests") {
  for (const uint32_t count : {2u, 3u, 7u, 64u, 100u, 2000u, 10'000u}) {
    for (const uint32_t bad : {0u, 1u, count / 2, count - 2, count - 1}) {
      CAPTURE(count, bad);
      const Outcome outcome = Run(SeriesOf(count), {bad}, 32);
      CHECK(outcome.refused == std::set<uint32_t>{bad});
      CHECK(outcome.accepted.size() == count - 1);
      CHECK(outcome.sent.size() <= 32);
    }
  }
}

TEST_CASE("request split: a bad series is always sent alone before it is called refused") {
  const Outcome outcome = Run(SeriesOf(100), {99}, 32);
  CHECK(std::count(outcome.sent.begin(), outcome.sent.end(), Piece{99, 100}) == 1);
}

TEST_CASE("request split: of a series, only what is bad is refused, and the order is kept") {
  const Outcome outcome = Run(SeriesOf(50, 8), {83, 84}, 32);
  CHECK(outcome.refused == std::set<uint32_t>{83, 84});
  // Of its series, what is sent later lies right of it, or within it.
  uint32_t last = 80;
  for (const Piece& piece : outcome.sent) {
    if (piece.begin < 80 || piece.end > 88) continue;
    CHECK(piece.begin >= last);
    last = piece.begin;
  }
}

TEST_CASE("request split: suspects are sent apart from the others, and not looked into") {
  std::vector<RequestSplit::Series> series = SeriesOf(100, 2);
  series[98].suspect = series[99].suspect = true;
  const Outcome outcome = Run(series, {196, 198}, 32);
  CHECK(outcome.sent.front() == Piece{0, 196});
  CHECK(outcome.refused == std::set<uint32_t>{196, 197, 198, 199});
  CHECK(outcome.sent.size() <= 4);
}

TEST_CASE("request split: any bad ones: each entry is accepted or refused once, within the bound") {
  const auto seed = GENERATE(range(1u, 200u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  std::vector<RequestSplit::Series> series;
  uint32_t entries = 0;
  const uint32_t count = 1 + below(300);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t size = 1 + (below(3) == 0 ? below(4) : 0);
    series.push_back({entries, entries + size, false});
    entries += size;
  }
  for (uint32_t i = count - below(std::min(count, 20u)); i < count; i++) series[i].suspect = true;
  std::set<uint32_t> bad;
  const uint32_t bads = 1 + (below(4) == 0 ? entries : below(4));
  for (uint32_t i = 0; i < bads; i++) bad.insert(below(entries));
  const uint32_t requests_max = below(34);
  const Outcome outcome = Run(series, bad, requests_max, below(2) == 0);
  CHECK(outcome.sent.size() <= requests_max);
  if (outcome.sent.empty()) return;
  CHECK(outcome.accepted.size() + outcome.refused.size() == entries);
  for (const uint32_t one : outcome.accepted) CHECK(bad.count(one) == 0);
  for (const uint32_t one : bad) CHECK(outcome.refused.count(one) == 1);
}

TEST_CASE("refused series: three refusals in a row, then once an hour until it is accepted") {
  RefusedSeries series;
  const auto words = std::make_shared<const RefusedSeries::Words>();
  MonotonicTime now{std::chrono::hours(5)};
  CHECK_FALSE(series.Refused(7, words, true, now));
  CHECK_FALSE(series.Refused(7, words, true, now));
  series.Accepted(7);
  CHECK_FALSE(series.Knows(7));
  CHECK_FALSE(series.Refused(7, words, true, now));
  CHECK_FALSE(series.Refused(7, words, true, now));
  CHECK(series.Quarantined(7) == nullptr);
  CHECK(series.Refused(7, words, true, now));
  CHECK(series.Quarantined(7) == words);
  CHECK(series.quarantined() == 1);
  CHECK_FALSE(series.TakeProbe(7, now + std::chrono::minutes(59)));
  CHECK(series.TakeProbe(7, now + std::chrono::minutes(60)));
  CHECK_FALSE(series.TakeProbe(7, now + std::chrono::minutes(119)));
  CHECK(series.TakeProbe(7, now + std::chrono::minutes(120)));
  series.Accepted(7);
  CHECK(series.quarantined() == 0);
  CHECK(series.empty());
}

TEST_CASE("refused series: probes of many do not come at once, and their number is bounded") {
  RefusedSeries series;
  const auto words = std::make_shared<const RefusedSeries::Words>();
  MonotonicTime now{std::chrono::hours(5)};
  for (int i = 0; i < 3; i++) {
    for (uint64_t hash = 1; hash <= RefusedSeries::kSeriesMax + 100; hash++) {
      series.Refused(hash, words, true, now);
    }
  }
  CHECK(series.quarantined() == RefusedSeries::kSeriesMax);
  now += RefusedSeries::kProbeInterval;
  int probes = 0;
  for (uint64_t hash = 1; hash <= 100; hash++) probes += series.TakeProbe(hash, now) ? 1 : 0;
  CHECK(probes == 1);
  CHECK(series.TakeProbe(2, now + RefusedSeries::kProbeGap));
  // What nobody has any more is forgotten.
  series.Refused(1, words, true, now + std::chrono::hours(3));
  CHECK(series.quarantined() == 0);
  CHECK(series.Knows(1));
  CHECK_FALSE(series.Knows(2));
}

}  // namespace
}  // namespace tributary
