// Steady state costs no allocation per metric or series.
#include <random>
#include <string>

#include "common/exposition/protobuf_page.h"
#include "common/exposition/protobuf_series.h"
#include "test/support/allocation_counter.h"
#include "test/support/catch.h"
#include "test/support/protobuf_page_generator.h"

namespace tributary {
namespace {

struct Counts {
  uint64_t series = 0, hashes = 0, exemplars = 0, errors = 0, allocations = 0;
};

Counts ReadPage(ProtobufPageReader& reader, ProtobufSeriesReader& series, const HashKey& key,
                std::string_view page, size_t piece) {
  Counts counts;
  const uint64_t before = AllocationCount();
  reader.Reset();
  for (size_t at = 0; at < page.size(); at += piece) {
    reader.Push(page.substr(at, piece));
    for (;;) {
      const auto event = reader.Next();
      if (event == ProtobufPageReader::Event::kNeedsBytes) break;
      if (event == ProtobufPageReader::Event::kError) break;
      if (event == ProtobufPageReader::Event::kFamily) series.BeginFamily(reader.family());
      if (event != ProtobufPageReader::Event::kMetric) continue;
      series.BeginMetric(reader.metric());
      auto step = series.Next();
      for (; step == ProtobufSeriesReader::Step::kSample; step = series.Next()) {
        ++counts.series;
        counts.hashes += series.Hash(key);
        ProtobufExemplarView exemplar;
        while (series.NextExemplar(exemplar)) ++counts.exemplars;
      }
      counts.errors += step == ProtobufSeriesReader::Step::kError;
    }
  }
  counts.errors += !reader.Finish().has_value();
  counts.allocations = AllocationCount() - before;
  return counts;
}

TEST_CASE("protobuf page: in steady state no metric or series allocates") {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  const std::string page = RandomProtobufPage(random, {0, 40, 100});
  const HashKey key = HashKey::FromSeed(seed);
  ProtobufPageReader reader;
  ProtobufHistogramRules rules;
  rules.keep_classic = true;
  rules.convert_classic = true;
  ProtobufSeriesReader series(rules);
  for (const size_t piece : {page.size() + 1, size_t{16384}, size_t{100}}) {
    const Counts first = ReadPage(reader, series, key, page, piece);
    const Counts second = ReadPage(reader, series, key, page, piece);
    INFO("seed " << seed << " piece " << piece << " series " << first.series);
    CHECK(second.errors == 0);
    CHECK(second.allocations == 0);
    CHECK(second.exemplars == first.exemplars);
    CHECK(second.series == first.series);
    CHECK(second.hashes == first.hashes);
  }
}

}  // namespace
}  // namespace tributary
