// The series of one target as containers have them, and a scrape of them: what benchmarks write,
// read and send. Always the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/series/samples.h"
#include "common/labels/labels.h"

namespace tributary {

inline constexpr size_t kBenchSeries = 2000;

enum class BenchShape : uint8_t {
  kBench,  // 11 labels, as bench/targets has them
  kIds,    // with cAdvisor's long ids
};

// In the order of a page: family by family.
std::vector<Labels> BenchPageSeries(BenchShape shape);
// One scrape in the groups' order, kGroupSeriesMax series each: all are there, at one time.
std::vector<GroupSamples> BenchGroups(BenchShape shape, uint64_t target_key);

}  // namespace tributary
