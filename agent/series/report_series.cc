#include "agent/series/report_series.h"

namespace tributary {

std::string_view ReportSeriesName(ReportSeries series) {
  switch (series) {
    case ReportSeries::kUp:
      return "up";
    case ReportSeries::kDuration:
      return "scrape_duration_seconds";
    case ReportSeries::kSamplesScraped:
      return "scrape_samples_scraped";
    case ReportSeries::kSamplesPostRelabeling:
      return "scrape_samples_post_metric_relabeling";
    case ReportSeries::kSeriesAdded:
      return "scrape_series_added";
    case ReportSeries::kTimeout:
      return "scrape_timeout_seconds";
    case ReportSeries::kSampleLimit:
      return "scrape_sample_limit";
    case ReportSeries::kBodySize:
      return "scrape_body_size_bytes";
  }
  return "";
}

}  // namespace tributary
