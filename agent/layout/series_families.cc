#include "agent/layout/series_families.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tributary {

namespace {

// Cuts the first of the suffixes that `name` ends in.
std::string_view CutOne(std::string_view name, std::initializer_list<std::string_view> suffixes) {
  for (std::string_view suffix : suffixes) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

// What Prometheus says of the series that a scrape reports about itself.
FamilyMetadata ReportFamily(ReportSeries series) {
  FamilyMetadata family;
  family.family = ReportSeriesName(series);
  family.type = MetricType::kGauge;
  switch (series) {
    case ReportSeries::kUp:
      family.help =
          "Health of the scrape target. 1 means the target is healthy, 0 if the scrape failed.";
      family.unit = "targets";
      break;
    case ReportSeries::kDuration:
      family.help = "Duration of the last scrape in seconds.";
      family.unit = "seconds";
      break;
    case ReportSeries::kSamplesScraped:
      family.help = "Number of samples last scraped.";
      family.unit = "samples";
      break;
    case ReportSeries::kSamplesPostRelabeling:
      family.help = "Number of samples remaining after metric relabeling was applied.";
      family.unit = "samples";
      break;
    case ReportSeries::kSeriesAdded:
      family.help = "Number of series in the last scrape.";
      family.unit = "series";
      break;
    case ReportSeries::kTimeout:
      family.help = "The configured scrape timeout for a target.";
      family.unit = "seconds";
      break;
    case ReportSeries::kSampleLimit:
      family.help =
          "The configured sample limit for a target. Returns zero if there is no limit "
          "configured.";
      family.unit = "samples";
      break;
    case ReportSeries::kBodySize:
      family.help =
          "The uncompressed size of the last scrape response, if successful. Scrapes failing "
          "because body_size_limit is exceeded report -1, other scrape failures report 0.";
      family.unit = "bytes";
      break;
  }
  return family;
}

}  // namespace

bool IsPartOfFamily(std::string_view series, const FamilyMetadata& metadata) {
  std::string_view family = metadata.family;
  if (!series.starts_with(family)) return false;
  switch (metadata.type) {
    case MetricType::kCounter:
      return CutOne(series, {"_total"}) == CutOne(family, {"_total"});
    case MetricType::kHistogram:
      return CutOne(series, {"_bucket", "_sum", "_count"}) == family;
    case MetricType::kGaugeHistogram:
      return CutOne(series, {"_bucket", "_gsum", "_gcount"}) == family;
    case MetricType::kSummary:
      return CutOne(series, {"_sum", "_count"}) == family;
    case MetricType::kInfo:
      return CutOne(series, {"_info"}) == CutOne(family, {"_info"});
    default:
      return series == family;
  }
}

void SettleSeriesFamilies(TargetLayout& layout, MetadataPool& pool) {
  std::vector<std::string> names(layout.place_end_);
  std::vector<FamilyRef> families(layout.place_end_);
  std::string buffer;
  for (const TargetLayout::Group& group : layout.groups_) {
    uint32_t place = group.first_place;
    for (std::string_view packed : group.definition->Packed(buffer)) {
      names[place++] = UnpackLabels(packed).Get(kMetricName);
    }
  }
  FamilyRef current;
  for (uint32_t line = 0; line < layout.lines_.size(); line++) {
    const uint32_t place = layout.lines_.place(line);
    if (place == KnownLines::kComment) {
      auto of_line = layout.family_of_line_.find(layout.lines_.hash(line));
      if (of_line == layout.family_of_line_.end()) continue;  // it speaks of none
      auto family = layout.families_.find(of_line->second);
      current = family == layout.families_.end() ? nullptr : family->second;
    } else if (place <= KnownLines::kPlaceMax) {
      if (current != nullptr && !IsPartOfFamily(names[place], *current)) current = nullptr;
      if (current != nullptr) families[place] = current;
    }
  }
  for (size_t i = 0; i < kReportSeries; i++) {
    const uint32_t place = layout.report_[i];
    if (place == TargetLayout::kNoPlace) continue;
    families[place] = pool.Intern(ReportFamily(static_cast<ReportSeries>(i)));
  }
  for (TargetLayout::Group& group : layout.groups_) {
    std::vector<FamilyRef> of_series(group.definition->series());
    bool any = false;
    for (uint32_t i = 0; i < of_series.size(); i++) {
      const FamilyRef& said = families[group.first_place + i];
      if (said != nullptr) {
        of_series[i] = pool.Intern(*said);
      } else if (group.metadata != nullptr && group.metadata->Of(i) != nullptr) {
        of_series[i] = pool.Intern(*group.metadata->Of(i));
      }
      any |= of_series[i] != nullptr;
    }
    group.metadata = any ? std::make_shared<const SeriesMetadata>(of_series) : nullptr;
  }
}

}  // namespace tributary
