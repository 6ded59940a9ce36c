#include "agent/federate/family_writer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/assert.h"
#include "common/exposition/float_text.h"
#include "common/wire/histogram.h"
#include "common/wire/protobuf_writer.h"

namespace tributary {
namespace {

using protobuf::AppendBytesField;
using protobuf::AppendDoubleField;
using protobuf::AppendVarint;
using protobuf::AppendVarintField;
using protobuf::ZigZag;

// Of a family's metrics in one message.
constexpr size_t kFamilyBytesMax = 1 << 20;

constexpr std::string_view kInstance = "instance";

// Fields and types of io.prometheus.client's messages.
constexpr uint32_t kFamilyName = 1, kFamilyType = 3, kFamilyMetric = 4;
constexpr uint64_t kTypeUntyped = 3, kTypeHistogram = 4, kTypeGaugeHistogram = 5;
constexpr uint32_t kMetricLabel = 1, kMetricUntyped = 5, kMetricTimestamp = 6, kMetricHistogram = 7;
constexpr uint32_t kLabelName = 1, kLabelValue = 2;
constexpr uint32_t kUntypedValue = 1;
constexpr uint32_t kHistogramSum = 2, kHistogramBucket = 3, kHistogramCountFloat = 4,
                   kHistogramSchema = 5, kHistogramZeroThreshold = 6, kHistogramZeroCountFloat = 8,
                   kHistogramNegativeSpan = 9, kHistogramNegativeCount = 11,
                   kHistogramPositiveSpan = 12, kHistogramPositiveCount = 14;
constexpr uint32_t kBucketUpperBound = 2, kBucketCountFloat = 4;
constexpr uint32_t kSpanOffset = 1, kSpanLength = 2;

void AppendNumber(int64_t number, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(std::begin(text), std::end(text), number).ptr);
}

void AppendEscapedText(std::string_view text, std::string& out) {
  if (text.find_first_of("\\\n\"") == std::string_view::npos) {
    out += text;
    return;
  }
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

void AppendName(std::string_view name, std::string& out) {
  if (IsClassicName(name)) {
    out += name;
    return;
  }
  out += '"';
  AppendEscapedText(name, out);
  out += '"';
}

double CountOf(const NativeHistogram& h) {
  return h.is_float ? h.count_float : static_cast<double>(h.count);
}

// Of integer histograms the counts that their differences add up to.
std::vector<double> Counts(bool is_float, const std::vector<double>& counts,
                           const std::vector<int64_t>& deltas) {
  if (is_float) return counts;
  std::vector<double> sums;
  sums.reserve(deltas.size());
  uint64_t sum = 0;
  for (const int64_t delta : deltas) {
    sum += static_cast<uint64_t>(delta);
    sums.push_back(static_cast<double>(static_cast<int64_t>(sum)));
  }
  return sums;
}

void AppendSpans(uint32_t field, const std::vector<BucketSpan>& spans, std::string& out) {
  std::string bytes;
  for (const BucketSpan& span : spans) {
    bytes.clear();
    AppendVarintField(kSpanOffset, ZigZag(span.offset), bytes);
    AppendVarintField(kSpanLength, span.length, bytes);
    AppendBytesField(field, bytes, out);
  }
}

// For each bound the count of what is not above it.
std::vector<double> Cumulative(const NativeHistogram& h) {
  const std::vector<double> counts = Counts(h.is_float, h.positive_counts, h.positive_deltas);
  std::vector<double> cumulative(h.custom_values.size());
  int64_t bucket = 0;
  size_t next = 0;
  for (const BucketSpan& span : h.positive_spans) {
    bucket += span.offset;
    for (uint32_t i = 0; i < span.length && next < counts.size(); i++, bucket++, next++) {
      if (bucket >= 0 && bucket < static_cast<int64_t>(cumulative.size())) {
        cumulative[static_cast<size_t>(bucket)] = counts[next];
      }
    }
  }
  double sum = 0;
  for (double& count : cumulative) count = sum += count;
  return cumulative;
}

bool HasInstance(const Labels& labels) { return labels.Has(kInstance); }

}  // namespace

FamilyWriter::FamilyWriter(FederateForm form, Labels external_labels)
    : form_(form), external_(std::move(external_labels)) {}

void FamilyWriter::Write(const SortedSeries& series, std::string& out) {
  Kind kind = Kind::kUntyped;
  if (series.histogram != nullptr) {
    CHECK(DecodeHistogram(series.histogram->encoded, histogram_));  // we have encoded it
    const bool custom = histogram_.schema == kCustomBucketsSchema;
    if (!custom && form_.format == FederateFormat::kText) return;
    kind = histogram_.reset_hint == NativeHistogram::ResetHint::kGauge ? Kind::kGaugeHistogram
                                                                       : Kind::kHistogram;
  }
  std::string_view name;
  ReadSeriesKey(series.key, name, labels_, texts_);
  if (name != name_ || kind != kind_) Begin(name, kind, out);
  if (form_.format == FederateFormat::kProtobuf) {
    WriteMetric(series);
    if (family_.size() >= kFamilyBytesMax) FlushFamily(out);
  } else if (kind == Kind::kUntyped) {
    AppendTextSample("", "", series.value, series.timestamp, out);
  } else {
    WriteTextHistogram(series.timestamp, out);
  }
}

void FamilyWriter::Finish(std::string& out) { FlushFamily(out); }

void FamilyWriter::Begin(std::string_view name, Kind kind, std::string& out) {
  FlushFamily(out);
  name_ = name;
  kind_ = kind;
  shown_name_ = EscapeName(name, form_.escaping);
  if (form_.format != FederateFormat::kText) return;
  out += "# TYPE ";
  AppendName(shown_name_, out);
  out += kind == Kind::kUntyped ? " untyped\n" : " histogram\n";
}

void FamilyWriter::FlushFamily(std::string& out) {
  if (family_.empty()) return;
  const uint64_t type = kind_ == Kind::kUntyped     ? kTypeUntyped
                        : kind_ == Kind::kHistogram ? kTypeHistogram
                                                    : kTypeGaugeHistogram;
  part_.clear();
  AppendBytesField(kFamilyName, shown_name_, part_);
  AppendVarintField(kFamilyType, type, part_);
  AppendVarint(part_.size() + family_.size(), out);
  out += part_;
  out += family_;
  family_.clear();
}

// Calls add(name, value) for each label as the page has it: the series' own, then what is external.
template <typename F>
void ForEachShownLabel(const std::vector<LabelView>& labels, const Labels& external,
                       NameEscaping escaping, F add) {
  const auto show = [&](std::string_view name, std::string_view value) {
    if (escaping == NameEscaping::kNone || IsClassicName(name)) {
      add(name, value);
    } else {
      add(EscapeName(name, escaping), value);
    }
  };
  const auto has = [&](std::string_view name) {
    return std::any_of(labels.begin(), labels.end(),
                       [&](const LabelView& label) { return label.name == name; });
  };
  for (const LabelView& label : labels) show(label.name, label.value);
  // Sorted, the empty instance among them.
  bool wants_instance = !HasInstance(external) && !has(kInstance);
  for (const Label& label : external) {
    if (wants_instance && kInstance < label.name) {
      show(kInstance, "");
      wants_instance = false;
    }
    if (!has(label.name)) show(label.name, label.value);
  }
  if (wants_instance) show(kInstance, "");
}

void FamilyWriter::AppendTextSeries(std::string_view suffix, std::string& out) const {
  char separator = '{';
  if (IsClassicName(shown_name_)) {
    out += shown_name_;
    out += suffix;
  } else {
    out += "{\"";
    AppendEscapedText(shown_name_, out);
    out += suffix;
    out += '"';
    separator = ',';
  }
  ForEachShownLabel(labels_, external_, form_.escaping,
                    [&](std::string_view name, std::string_view value) {
                      out += separator;
                      AppendName(name, out);
                      out += "=\"";
                      AppendEscapedText(value, out);
                      out += '"';
                      separator = ',';
                    });
}

void FamilyWriter::AppendTextSample(std::string_view suffix, std::string_view le, double value,
                                    TimestampMs timestamp, std::string& out) const {
  AppendTextSeries(suffix, out);
  if (!le.empty()) {
    out += ",le=\"";
    out += le;
    out += '"';
  }
  out += "} ";
  AppendSampleValue(value, out);
  out += ' ';
  AppendNumber(timestamp, out);
  out += '\n';
}

void FamilyWriter::WriteTextHistogram(TimestampMs timestamp, std::string& out) const {
  const std::vector<double> cumulative = Cumulative(histogram_);
  std::string le;
  for (size_t i = 0; i < cumulative.size(); i++) {
    le.clear();
    AppendSampleValue(histogram_.custom_values[i], le);
    AppendTextSample("_bucket", le, cumulative[i], timestamp, out);
  }
  AppendTextSample("_bucket", "+Inf", CountOf(histogram_), timestamp, out);
  AppendTextSample("_sum", "", histogram_.sum, timestamp, out);
  AppendTextSample("_count", "", CountOf(histogram_), timestamp, out);
}

void FamilyWriter::WriteMetric(const SortedSeries& series) {
  metric_.clear();
  ForEachShownLabel(labels_, external_, form_.escaping,
                    [&](std::string_view name, std::string_view value) {
                      part_.clear();
                      AppendBytesField(kLabelName, name, part_);
                      AppendBytesField(kLabelValue, value, part_);
                      AppendBytesField(kMetricLabel, part_, metric_);
                    });
  part_.clear();
  if (kind_ == Kind::kUntyped) {
    AppendDoubleField(kUntypedValue, series.value, part_);
    AppendBytesField(kMetricUntyped, part_, metric_);
  }
  AppendVarintField(kMetricTimestamp, static_cast<uint64_t>(series.timestamp), metric_);
  if (kind_ != Kind::kUntyped) {
    AppendHistogram(part_);
    AppendBytesField(kMetricHistogram, part_, metric_);
  }
  AppendBytesField(kFamilyMetric, metric_, family_);
}

void FamilyWriter::AppendHistogram(std::string& out) const {
  const NativeHistogram& h = histogram_;
  AppendDoubleField(kHistogramSum, h.sum, out);
  if (h.schema == kCustomBucketsSchema) {
    const std::vector<double> cumulative = Cumulative(h);
    std::string bucket;
    for (size_t i = 0; i < cumulative.size(); i++) {
      bucket.clear();
      AppendDoubleField(kBucketUpperBound, h.custom_values[i], bucket);
      AppendDoubleField(kBucketCountFloat, cumulative[i], bucket);
      AppendBytesField(kHistogramBucket, bucket, out);
    }
    AppendDoubleField(kHistogramCountFloat, CountOf(h), out);
    return;
  }
  AppendDoubleField(kHistogramCountFloat, CountOf(h), out);
  AppendVarintField(kHistogramSchema, ZigZag(h.schema), out);
  AppendDoubleField(kHistogramZeroThreshold, h.zero_threshold, out);
  AppendDoubleField(kHistogramZeroCountFloat,
                    h.is_float ? h.zero_count_float : static_cast<double>(h.zero_count), out);
  AppendSpans(kHistogramNegativeSpan, h.negative_spans, out);
  for (const double count : Counts(h.is_float, h.negative_counts, h.negative_deltas)) {
    AppendDoubleField(kHistogramNegativeCount, count, out);
  }
  AppendSpans(kHistogramPositiveSpan, h.positive_spans, out);
  for (const double count : Counts(h.is_float, h.positive_counts, h.positive_deltas)) {
    AppendDoubleField(kHistogramPositiveCount, count, out);
  }
}

}  // namespace tributary
