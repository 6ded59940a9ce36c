#include "common/exposition/protobuf_series.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "common/exposition/float_text.h"
#include "common/exposition/series_labels.h"
#include "common/histogram/compact.h"

namespace tributary {
namespace {

bool IsHistogram(ProtobufType type) {
  return type == ProtobufType::kHistogram || type == ProtobufType::kGaugeHistogram;
}

std::string Shown(std::string_view name) {
  constexpr size_t kShownMax = 200;
  return Printable(name.substr(0, kShownMax));
}

std::string_view TextOf(ProtobufSuffix suffix) {
  switch (suffix) {
    case ProtobufSuffix::kNone:
      return "";
    case ProtobufSuffix::kCount:
      return "_count";
    case ProtobufSuffix::kSum:
      return "_sum";
    case ProtobufSuffix::kBucket:
      return "_bucket";
  }
  return "";
}

std::string_view NameOf(ProtobufExtraLabel extra) {
  return extra == ProtobufExtraLabel::kLe ? "le" : "quantile";
}

Status CheckSpans(std::string_view side, const std::vector<BucketSpan>& spans, size_t buckets) {
  uint64_t covered = 0;
  for (const BucketSpan& span : spans) covered += span.length;
  if (covered == buckets) return {};
  return Fail(
      fmt::format("the {} spans cover {} buckets, but there are {}", side, covered, buckets));
}

Status CheckSpans(const ProtobufMetric::Histogram& histogram) {
  const NativeHistogram& n = histogram.native;
  const bool floats = histogram.IsFloat();
  Status positive = CheckSpans("positive", n.positive_spans,
                               floats ? n.positive_counts.size() : n.positive_deltas.size());
  if (!positive) return positive;
  return CheckSpans("negative", n.negative_spans,
                    floats ? n.negative_counts.size() : n.negative_deltas.size());
}

// Of the two kinds of fields on the wire those that count, compacted.
void CompleteNative(ProtobufMetric::Histogram& histogram) {
  NativeHistogram& n = histogram.native;
  n.is_float = histogram.IsFloat();
  n.sum = histogram.sum;
  if (n.is_float) {
    n.count_float = histogram.count_float;
    n.zero_count = 0;
    n.positive_deltas.clear();
    n.negative_deltas.clear();
  } else {
    n.count = histogram.count;
    n.zero_count_float = 0;
  }
  CompactHistogram(n, 0);
}

NativeHistogram::ResetHint HintOf(ProtobufType type) {
  return type == ProtobufType::kGaugeHistogram ? NativeHistogram::ResetHint::kGauge
                                               : NativeHistogram::ResetHint::kUnknown;
}

}  // namespace

void ProtobufSeriesReader::BeginFamily(const ProtobufFamily& family) {
  family_ = family;
  follows_histogram_ = false;
  name_hashed_ = false;
}

void ProtobufSeriesReader::BeginMetric(ProtobufMetric& metric) {
  metric_ = &metric;
  stage_ = Stage::kStart;
  field_ = 0;
  hashed_ = false;
}

ProtobufSeriesReader::Step ProtobufSeriesReader::Next() {
  sample_ = {};
  float_exemplar_ = ProtobufMetric::kNoExemplar;
  switch (stage_) {
    case Stage::kStart:
      return StartMetric();
    case Stage::kSummary:
      return EmitSummaryField();
    case Stage::kClassic:
      return EmitClassicField();
    case Stage::kConvert:
      return EmitConverted();
    case Stage::kEnd:
      return Step::kEnd;
  }
  return Step::kEnd;
}

ProtobufSeriesReader::Step ProtobufSeriesReader::StartMetric() {
  const ProtobufMetric& m = *metric_;
  stage_ = Stage::kEnd;
  switch (family_.type) {
    case ProtobufType::kCounter:
      float_exemplar_ = m.counter.exemplar;
      return Emit(m.counter.value);
    case ProtobufType::kGauge:
      return Emit(m.gauge_value);
    case ProtobufType::kUntyped:
      return Emit(m.untyped_value);
    case ProtobufType::kSummary:
      return EmitSummaryField();
    case ProtobufType::kHistogram:
    case ProtobufType::kGaugeHistogram:
      break;
  }
  native_ = !rules_.ignore_native && m.histogram.IsNative();
  if (native_) return EmitNative();
  return rules_.convert_classic && !rules_.keep_classic ? EmitConverted() : EmitClassicField();
}

ProtobufSeriesReader::Step ProtobufSeriesReader::Emit(double value) {
  sample_.value = value;
  return Step::kSample;
}

ProtobufSeriesReader::Step ProtobufSeriesReader::EmitSummaryField() {
  const ProtobufMetric::Summary& summary = metric_->summary;
  const size_t field = field_++;
  stage_ = Stage::kSummary;
  if (field == 0) {
    sample_.suffix = ProtobufSuffix::kCount;
    return Emit(static_cast<double>(summary.count));
  }
  if (field > summary.quantiles.size()) stage_ = Stage::kEnd;
  if (field == 1) {
    sample_.suffix = ProtobufSuffix::kSum;
    return Emit(summary.sum);
  }
  const ProtobufMetric::Quantile& quantile = summary.quantiles[field - 2];
  sample_.extra = ProtobufExtraLabel::kQuantile;
  sample_.extra_value = quantile.quantile;
  return Emit(quantile.value);
}

ProtobufSeriesReader::Step ProtobufSeriesReader::EmitNative() {
  ProtobufMetric::Histogram& histogram = metric_->histogram;
  if (!follows_histogram_) {
    exemplar_next_ = bucket_next_ = 0;
    if (Status fit = CheckSpans(histogram); !fit) return Fail(fit.error().message);
  }
  CompleteNative(histogram);
  const bool classic_too = rules_.keep_classic && !histogram.buckets.empty();
  follows_histogram_ = !classic_too;
  stage_ = classic_too ? Stage::kClassic : Stage::kEnd;
  return EmitHistogram(histogram.native);
}

ProtobufSeriesReader::Step ProtobufSeriesReader::EmitClassicField() {
  const ProtobufMetric::Histogram& histogram = metric_->histogram;
  const size_t field = field_++;
  if (field == 0) {
    stage_ = Stage::kClassic;
    follows_histogram_ = false;
    sample_.suffix = ProtobufSuffix::kCount;
    return Emit(histogram.Count());
  }
  if (field == 1) {
    sample_.suffix = ProtobufSuffix::kSum;
    return Emit(histogram.sum);
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const size_t index = field - 2;
  const bool is_last_made_up = index == histogram.buckets.size();
  sample_.suffix = ProtobufSuffix::kBucket;
  sample_.extra = ProtobufExtraLabel::kLe;
  sample_.extra_value = is_last_made_up ? kInfinity : histogram.buckets[index].upper_bound;
  if (sample_.extra_value == kInfinity) {
    stage_ = rules_.convert_classic && !native_ ? Stage::kConvert : Stage::kEnd;
  }
  if (is_last_made_up) return Emit(histogram.Count());
  float_exemplar_ = histogram.buckets[index].exemplar;
  return Emit(histogram.buckets[index].Count());
}

ProtobufSeriesReader::Step ProtobufSeriesReader::EmitConverted() {
  const ProtobufMetric::Histogram& histogram = metric_->histogram;
  nhcb_.Reset();
  nhcb_.SetCount(histogram.Count());
  nhcb_.SetSum(histogram.sum);
  for (const ProtobufMetric::Bucket& bucket : histogram.buckets) {
    nhcb_.SetBucket(bucket.upper_bound, bucket.Count());
  }
  if (Status built = nhcb_.Build(converted_); !built) return Fail(built.error().message);
  stage_ = Stage::kEnd;
  follows_histogram_ = true;
  exemplar_next_ = bucket_next_ = 0;
  return EmitHistogram(converted_);
}

ProtobufSeriesReader::Step ProtobufSeriesReader::EmitHistogram(NativeHistogram& histogram) {
  histogram.reset_hint = HintOf(family_.type);
  sample_.histogram = &histogram;
  return Step::kSample;
}

ProtobufSeriesReader::Step ProtobufSeriesReader::Fail(const std::string& problem) {
  stage_ = Stage::kEnd;
  error_ = fmt::format("family \"{}\": {}", Shown(family_.name), problem);
  return Step::kError;
}

std::optional<TimestampMs> ProtobufSeriesReader::timestamp() const {
  if (metric_->timestamp == 0) return std::nullopt;
  return metric_->timestamp;
}

std::optional<TimestampMs> ProtobufSeriesReader::start_timestamp() const {
  std::optional<ProtobufTimestamp> start;
  if (family_.type == ProtobufType::kCounter) start = metric_->counter.start;
  if (family_.type == ProtobufType::kSummary) start = metric_->summary.start;
  if (IsHistogram(family_.type)) start = metric_->histogram.start;
  if (!start || start->Milliseconds() == 0) return std::nullopt;
  return start->Milliseconds();
}

bool ProtobufSeriesReader::NextExemplar(ProtobufExemplarView& out) {
  if (sample_.histogram != nullptr) return NextHistogramExemplar(out);
  return ShowExemplar(std::exchange(float_exemplar_, ProtobufMetric::kNoExemplar), out);
}

bool ProtobufSeriesReader::NextHistogramExemplar(ProtobufExemplarView& out) {
  const ProtobufMetric::Histogram& histogram = metric_->histogram;
  if (!histogram.exemplars.empty()) {
    while (exemplar_next_ < histogram.exemplars.size()) {
      if (ShowExemplar(histogram.exemplars[exemplar_next_++], out) && out.timestamp) return true;
    }
    return false;
  }
  while (bucket_next_ < histogram.buckets.size()) {
    if (ShowExemplar(histogram.buckets[bucket_next_++].exemplar, out) && out.timestamp) return true;
  }
  return false;
}

bool ProtobufSeriesReader::ShowExemplar(uint32_t index, ProtobufExemplarView& out) const {
  if (index == ProtobufMetric::kNoExemplar) return false;
  const ProtobufExemplar& exemplar = metric_->exemplars[index];
  out.labels = metric_->LabelsOf(exemplar);
  out.value = exemplar.value;
  out.timestamp.reset();
  if (exemplar.timestamp) out.timestamp = exemplar.timestamp->Milliseconds();
  return true;
}

uint64_t ProtobufSeriesReader::Hash(const HashKey& key) {
  if (!name_hashed_) name_hash_ = key(family_.name);
  name_hashed_ = true;
  if (!hashed_) metric_hash_ = key(metric_->label_bytes);
  hashed_ = true;
  const auto kind =
      static_cast<uint64_t>(sample_.suffix) << 8 | static_cast<uint64_t>(sample_.extra);
  // -0 and 0 have the same text.
  const std::array<uint64_t, 4> parts = {name_hash_, metric_hash_, kind,
                                         std::bit_cast<uint64_t>(sample_.extra_value + 0.0)};
  return key({reinterpret_cast<const char*>(parts.data()), sizeof parts});
}

bool ProtobufSeriesReader::HashCanonical(const HashKey& key) {
  const uint64_t hash = key(CanonicalLabelBytes(metric_->label_bytes, canonical_));
  return hash != std::exchange(metric_hash_, hash);
}

Status ProtobufSeriesReader::CheckLabels() {
  labels_.clear();
  Status decoded = DecodeProtobufLabels(metric_->label_bytes, labels_);
  if (decoded) return decoded;
  return tributary::Fail(
      fmt::format("family \"{}\": {}", Shown(family_.name), decoded.error().message));
}

Result<Labels> ProtobufSeriesReader::MakeLabels(std::vector<std::string>* emptied) {
  if (Status checked = CheckLabels(); !checked) return tributary::Fail(checked.error().message);
  std::string name(family_.name);
  name += TextOf(sample_.suffix);
  std::vector<Label> labels;
  labels.reserve(labels_.size() + 2);
  labels.push_back({std::string(kMetricName), name});
  for (const ProtobufLabel& label : labels_) {
    labels.push_back({std::string(label.name), std::string(label.value)});
  }
  if (sample_.extra != ProtobufExtraLabel::kNone) {
    labels.push_back(
        {std::string(NameOf(sample_.extra)), FormatOpenMetricsFloat(sample_.extra_value)});
  }
  Result<Labels> unique = UniqueLabels(std::move(labels), emptied);
  if (!unique) return tributary::Fail(unique.error().message + ": " + Shown(name));
  return unique;
}

}  // namespace tributary
