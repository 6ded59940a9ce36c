#include "common/histogram/compact.h"

#include <map>
#include <random>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Spans = std::vector<BucketSpan>;

NativeHistogram Integers(Spans spans, std::vector<int64_t> deltas) {
  NativeHistogram h;
  h.positive_spans = std::move(spans);
  h.positive_deltas = std::move(deltas);
  return h;
}

NativeHistogram Compacted(NativeHistogram h, uint32_t empty_buckets_max = 0) {
  CompactHistogram(h, empty_buckets_max);
  return h;
}

TEST_CASE("compact: empty buckets are cut out and spans without a gap joined") {
  CHECK(Compacted(Integers({{-1, 3}, {0, 2}}, {0, 2, -2, 0, 5})) ==
        Integers({{0, 1}, {2, 1}}, {2, 3}));
  CHECK(Compacted(Integers({{1, 2}, {0, 1}}, {1, 1, 1})) == Integers({{1, 3}}, {1, 1, 1}));
  CHECK(Compacted(Integers({{1, 2}}, {0, 0})) == Integers({}, {}));
  CHECK(Compacted(Integers({{5, 0}, {2, 1}, {3, 0}}, {4})) == Integers({{7, 1}}, {4}));
  CHECK(Compacted(Integers({{1, 1}, {2, 1}}, {3, 1})) == Integers({{1, 1}, {2, 1}}, {3, 1}));
}

TEST_CASE("compact: short runs of empty buckets stay if so wanted, but not at the ends") {
  CHECK(Compacted(Integers({{0, 6}}, {0, 1, -1, 0, 1, -1}), 2) ==
        Integers({{1, 4}}, {1, -1, 0, 1}));
  CHECK(Compacted(Integers({{0, 5}}, {1, -1, 0, 0, 1}), 2) == Integers({{0, 1}, {3, 1}}, {1, 0}));
}

TEST_CASE("compact: floats, with -0 taken for empty") {
  NativeHistogram h;
  h.is_float = true;
  h.negative_spans = {{0, 4}};
  h.negative_counts = {1.5, -0.0, 0, 2};
  CompactHistogram(h, 0);
  CHECK(h.negative_spans == Spans{{0, 1}, {2, 1}});
  CHECK(h.negative_counts == std::vector<double>{1.5, 2});
}

TEST_CASE("compact: what does not fit stays so, unless no span has a length") {
  CHECK(Compacted(Integers({{0, 3}}, {1, 0})) == Integers({{0, 3}}, {1, 0}));
  CHECK(Compacted(Integers({{0, 0}, {1, 0}}, {1, 2})) == Integers({}, {}));
  CHECK(Compacted(Integers({}, {1, 0})) == Integers({}, {1, 0}));
  CHECK(Compacted(Integers({}, {1, -1})) == Integers({}, {}));
}

// The buckets that are not empty, by their indices.
std::map<int64_t, int64_t> Populated(const NativeHistogram& h) {
  std::map<int64_t, int64_t> counts;
  int64_t index = 0;
  int64_t count = 0;
  size_t next = 0;
  for (const BucketSpan& span : h.positive_spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i, ++index) {
      count += h.positive_deltas.at(next++);
      if (count != 0) counts[index] = count;
    }
  }
  CHECK(next == h.positive_deltas.size());
  return counts;
}

TEST_CASE("compact: random histograms keep their buckets, and none that is empty") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    NativeHistogram h;
    int64_t last = 0;
    for (uint64_t spans = random() % 6; spans > 0; --spans) {
      h.positive_spans.push_back(
          {static_cast<int32_t>(random() % 4), static_cast<uint32_t>(random() % 5)});
      for (uint32_t i = 0; i < h.positive_spans.back().length; ++i) {
        const auto count = static_cast<int64_t>(random() % 3);
        h.positive_deltas.push_back(count - last);
        last = count;
      }
    }
    const NativeHistogram compacted = Compacted(h);
    const auto populated = Populated(h);
    REQUIRE(Populated(compacted) == populated);
    REQUIRE(compacted.positive_deltas.size() == populated.size());
    for (size_t i = 1; i < compacted.positive_spans.size(); ++i) {
      REQUIRE(compacted.positive_spans[i].offset > 0);
    }
  }
}

}  // namespace
}  // namespace tributary
