#include "agent/telemetry/metric_page.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <locale>
#include <map>
#include <sstream>
#include <streambuf>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "common/base/assert.h"

namespace tributary {
namespace {

// The shortest text that reads back as the same number, without an exponent where people count
// zeros.
class ShortestNumbers : public std::num_put<char> {
 protected:
  iter_type do_put(iter_type out, std::ios_base&, char_type, double value) const override {
    const double size = std::fabs(value);
    const bool plain = size == 0 || (size >= 1e-5 && size < 1e16);
    char text[64];
    const auto end = std::to_chars(std::begin(text), std::end(text), value,
                                   plain ? std::chars_format::fixed : std::chars_format::general);
    return std::copy(std::begin(text), end.ptr, out);
  }
};

// prometheus-cpp prints 16 digits, so 0.1 + 0.2 becomes 0.3, and offers no other way: it gives the
// stream the classic locale first. A stream tells its buffer of that, and this buffer then takes
// only the numbers back.
class ShortestNumberBuffer : public std::stringbuf {
 public:
  explicit ShortestNumberBuffer(std::ostream* stream) : stream_(stream) {}

 protected:
  void imbue(const std::locale& locale) override {
    if (dynamic_cast<const ShortestNumbers*>(&std::use_facet<std::num_put<char>>(locale))) return;
    stream_->imbue(std::locale(locale, new ShortestNumbers));  // the locale owns its facet
  }

 private:
  std::ostream* stream_;
};

// prometheus-cpp escapes label values but not help texts.
std::string EscapeHelp(std::string_view help) {
  std::string out;
  for (const char c : help) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void AddTo(prometheus::ClientMetric::Histogram& sum, const Histogram& histogram) {
  uint64_t cumulative = 0;
  const auto& counts = histogram.counts();
  for (size_t i = 0; i < counts.size(); i++) {
    cumulative += counts[i];
    sum.bucket[i].cumulative_count += cumulative;
  }
  sum.sample_count += cumulative;
  sum.sample_sum += histogram.sum();
}

bool SameBounds(const prometheus::ClientMetric::Histogram& sum, const Histogram& histogram) {
  const auto& bounds = histogram.bounds();
  return sum.bucket.size() == bounds.size() + 1 &&
         std::equal(bounds.begin(), bounds.end(), sum.bucket.begin(),
                    [](double bound, const auto& bucket) { return bound == bucket.upper_bound; });
}

void Reset(prometheus::ClientMetric::Histogram& sum, const Histogram& histogram) {
  for (const double bound : histogram.bounds()) sum.bucket.push_back({0, bound});
  sum.bucket.push_back({0, std::numeric_limits<double>::infinity()});
}

}  // namespace

struct MetricPage::Impl {
  struct Family {
    std::string help;
    prometheus::MetricType type = prometheus::MetricType::Untyped;
    std::map<MetricLabels, prometheus::ClientMetric> metrics;  // labels sorted by name
  };

  // The metric to add to, and whether it is new; nullptr if the name is already one of another
  // type.
  std::pair<prometheus::ClientMetric*, bool> Find(std::string_view name, std::string_view help,
                                                  MetricLabels labels,
                                                  prometheus::MetricType type) {
    const auto [family_at, family_is_new] = families.try_emplace(std::string(name));
    Family& family = family_at->second;
    if (family_is_new) {
      family.help = EscapeHelp(help);
      family.type = type;
    } else if (family.type != type) {
      BUG("one metric name with two types");
      return {nullptr, false};
    }
    std::sort(labels.begin(), labels.end());
    const auto [at, is_new] = family.metrics.try_emplace(std::move(labels));
    if (is_new) {
      for (const auto& [label, value] : at->first) at->second.label.push_back({label, value});
    }
    return {&at->second, is_new};
  }

  std::map<std::string, Family, std::less<>> families;
};

MetricPage::MetricPage() : impl_(std::make_unique<Impl>()) {}
MetricPage::~MetricPage() = default;

void MetricPage::AddCounter(std::string_view name, std::string_view help,
                            const MetricLabels& labels, double value) {
  auto* metric = impl_->Find(name, help, labels, prometheus::MetricType::Counter).first;
  if (metric != nullptr) metric->counter.value += value;
}

void MetricPage::AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels,
                          double value) {
  auto* metric = impl_->Find(name, help, labels, prometheus::MetricType::Gauge).first;
  if (metric != nullptr) metric->gauge.value += value;
}

void MetricPage::AddGreatest(std::string_view name, std::string_view help,
                             const MetricLabels& labels, double value) {
  const auto [metric, is_new] = impl_->Find(name, help, labels, prometheus::MetricType::Gauge);
  if (metric == nullptr) return;
  metric->gauge.value = is_new ? value : std::max(metric->gauge.value, value);
}

void MetricPage::AddHistogram(std::string_view name, std::string_view help,
                              const MetricLabels& labels, const Histogram& histogram) {
  const auto [metric, is_new] = impl_->Find(name, help, labels, prometheus::MetricType::Histogram);
  if (metric == nullptr) return;
  if (is_new) Reset(metric->histogram, histogram);
  if (!SameBounds(metric->histogram, histogram)) {
    BUG("one histogram with two sets of bounds");
    return;
  }
  AddTo(metric->histogram, histogram);
}

void MetricPage::AddSummary(std::string_view name, std::string_view help,
                            const MetricLabels& labels, uint64_t count, double sum) {
  auto* metric = impl_->Find(name, help, labels, prometheus::MetricType::Summary).first;
  if (metric == nullptr) return;
  metric->summary.sample_count += count;
  metric->summary.sample_sum += sum;
}

std::string MetricPage::Text() const {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(impl_->families.size());
  for (const auto& [name, family] : impl_->families) {
    prometheus::MetricFamily& out = families.emplace_back();
    out.name = name;
    out.help = family.help;
    out.type = family.type;
    out.metric.reserve(family.metrics.size());
    for (const auto& [labels, metric] : family.metrics) out.metric.push_back(metric);
  }
  std::ostream stream(nullptr);
  ShortestNumberBuffer buffer(&stream);
  stream.rdbuf(&buffer);
  prometheus::TextSerializer().Serialize(stream, families);
  return buffer.str();
}

}  // namespace tributary
