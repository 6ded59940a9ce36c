// The series that a scrape reports about itself, in the order of their samples (scrape.go
// report()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tributary {

enum class ReportSeries : uint8_t {
  kUp,
  kDuration,
  kSamplesScraped,
  kSamplesPostRelabeling,
  kSeriesAdded,
  kTimeout,
  kSampleLimit,
  kBodySize,  // with extra_scrape_metrics
};
inline constexpr size_t kReportSeries = 8;
inline constexpr size_t kReportSeriesPlain = 5;
std::string_view ReportSeriesName(ReportSeries series);

}  // namespace tributary
