#include "tools/agentctl/scrape_series.h"

#include <algorithm>
#include <tuple>

#include "agent/layout/scrape_rules.h"
#include "agent/layout/target_layout.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

void AddIrregular(const GroupSamples& samples, const std::vector<Labels>& labels,
                  std::vector<SeriesSample>& series) {
  if (samples.irregular == nullptr) return;
  for (const HistogramSample& histogram : samples.irregular->histograms) {
    SeriesSample& sample = series.emplace_back();
    sample.labels = labels[histogram.index];
    sample.histogram = HistogramText(histogram.encoded);
    sample.start = histogram.start;
    if (histogram.timestamp != samples.timestamp) sample.timestamp = histogram.timestamp;
  }
  for (const ExemplarSample& exemplar : samples.irregular->exemplars) {
    const auto of = std::find_if(series.begin(), series.end(), [&](const SeriesSample& sample) {
      return sample.labels == labels[exemplar.index];
    });
    if (of == series.end()) continue;
    of->exemplars.push_back({UnpackLabels(exemplar.labels), exemplar.value, exemplar.timestamp});
  }
}

void AddGroup(const GroupSamples& samples, std::vector<SeriesSample>& all) {
  const std::vector<Labels> labels = samples.group->Decode();
  const auto start = [&](uint32_t index) {
    return samples.starts == nullptr ? 0 : (*samples.starts)[index];
  };
  std::vector<SeriesSample> series;
  size_t value = 0;
  for (uint32_t i = 0; i < samples.group->series(); i++) {
    if (!samples.Has(i)) continue;
    SeriesSample& sample = series.emplace_back();
    sample.labels = labels[i];
    sample.value = samples.values[value++];
    sample.start = start(i);
  }
  for (const OwnSample& own : samples.own) {
    SeriesSample& sample = series.emplace_back();
    sample.labels = labels[own.index];
    sample.value = own.value;
    sample.start = start(own.index);
    if (own.timestamp != samples.timestamp) sample.timestamp = own.timestamp;
  }
  AddIrregular(samples, labels, series);
  std::move(series.begin(), series.end(), std::back_inserter(all));
}

}  // namespace

std::vector<SeriesSample> ReadSeries(
    const std::vector<std::shared_ptr<const GroupSamples>>& groups) {
  std::vector<SeriesSample> series;
  for (const auto& samples : groups) AddGroup(*samples, series);
  std::stable_sort(series.begin(), series.end(), [](const SeriesSample& a, const SeriesSample& b) {
    const std::string_view a_name = a.labels.Get(kMetricName), b_name = b.labels.Get(kMetricName);
    return std::tie(a_name, a.labels) < std::tie(b_name, b.labels);
  });
  return series;
}

std::vector<SeriesSample> TakeReport(const Labels& target_labels,
                                     std::vector<SeriesSample>& series) {
  std::vector<SeriesSample> report;
  for (size_t i = 0; i < kReportSeries; i++) {
    const Labels labels =
        ReportLabels(ReportSeriesName(static_cast<ReportSeries>(i)), target_labels);
    // The last of its name: a page may have had one of the same labels before it.
    const auto found =
        std::find_if(series.rbegin(), series.rend(),
                     [&](const SeriesSample& sample) { return sample.labels == labels; });
    if (found == series.rend()) continue;
    report.push_back(std::move(*found));
    series.erase(std::next(found).base());
  }
  return report;
}

}  // namespace tributary
