#include "test/support/slow_protobuf_page.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/base/utf8.h"
#include "common/base/varint.h"
#include "common/exposition/float_text.h"
#include "metrics.pb.h"

namespace tributary {
namespace {

namespace pb = test::metrics;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct PageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct OddPage : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct StoppedReading {};

// libprotobuf takes a field of the wrong wire type for an unknown one. Nested messages of the field
// `later` are not looked at: Prometheus decodes them later.
void CheckWireTypes(const Message& message, int later = 0) {
  const auto* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (message.GetDescriptor()->FindFieldByNumber(unknown.field(i).number()) != nullptr) {
      throw PageError("wrong wire type");
    }
  }
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->number() == later) continue;
    if (!field->is_repeated()) {
      CheckWireTypes(reflection->GetMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      CheckWireTypes(reflection->GetRepeatedMessage(message, field, i));
    }
  }
}

// Tags of more than 32 bits, of which the two decoders look at different bits; and label pairs with
// a name or value twice, of which Prometheus checks both.
bool IsOdd(std::string_view bytes, const google::protobuf::Descriptor* type) {
  const bool is_label = type == pb::LabelPair::descriptor();
  uint64_t fields_seen = 0;
  uint64_t tag = 0;
  uint64_t number = 0;
  while (!bytes.empty()) {
    if (!TakeVarint(bytes, tag) || tag >> 32 != 0) return true;
    const FieldDescriptor* field = type->FindFieldByNumber(static_cast<int>(tag >> 3));
    if (is_label && field != nullptr && (fields_seen >> field->number() & 1) != 0) return true;
    if (is_label && field != nullptr) fields_seen |= uint64_t{1} << field->number();
    switch (tag & 7) {
      case 0:
        if (!TakeVarint(bytes, number)) return true;
        break;
      case 1:
        bytes.remove_prefix(std::min<size_t>(8, bytes.size()));
        break;
      case 2:
        if (!TakeVarint(bytes, number) || number > bytes.size()) return true;
        if (field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
            IsOdd(bytes.substr(0, number), field->message_type())) {
          return true;
        }
        bytes.remove_prefix(number);
        break;
      case 5:
        bytes.remove_prefix(std::min<size_t>(4, bytes.size()));
        break;
      default:
        break;  // a group: its fields are looked at as if they stood here
    }
  }
  return false;
}

// Whether a family, perhaps cut short, changes its name or type when both were known and a metric
// was there. Fields of groups are looked at as if they stood here.
bool ChangesBehindMetric(std::string_view bytes) {
  std::optional<std::string> name;
  std::optional<int32_t> type;
  bool has_metric = false;
  bool started = false;
  uint64_t tag = 0;
  uint64_t number = 0;
  while (TakeVarint(bytes, tag)) {
    const auto field = static_cast<int>(tag >> 3);
    switch (tag & 7) {
      case 0:
        if (!TakeVarint(bytes, number)) return false;
        if (field != pb::MetricFamily::kTypeFieldNumber) break;
        if (started && type != static_cast<int32_t>(number)) return true;
        type = static_cast<int32_t>(number);
        break;
      case 1:
        bytes.remove_prefix(std::min<size_t>(8, bytes.size()));
        break;
      case 2:
        if (!TakeVarint(bytes, number) || number > bytes.size()) return false;
        if (field == pb::MetricFamily::kNameFieldNumber) {
          if (started && name != bytes.substr(0, number)) return true;
          name = bytes.substr(0, number);
        }
        has_metric = has_metric || field == pb::MetricFamily::kMetricFieldNumber;
        bytes.remove_prefix(number);
        break;
      case 5:
        bytes.remove_prefix(std::min<size_t>(4, bytes.size()));
        break;
      default:
        break;
    }
    started = has_metric && name && type;
  }
  return false;
}

std::vector<pb::MetricFamily> DecodeFamilies(std::string_view page, bool& truncated) {
  std::vector<pb::MetricFamily> families;
  while (!page.empty()) {
    uint64_t size = 0;
    const size_t before = page.size();
    if (!TakeVarint(page, size) || before - page.size() > 5 || size > page.size()) {
      if (ChangesBehindMetric(page)) throw OddPage("name or type changes");
      truncated = true;
      break;
    }
    const std::string_view bytes = page.substr(0, size);
    page.remove_prefix(size);
    if (ChangesBehindMetric(bytes)) throw OddPage("name or type changes");
    pb::MetricFamily& family = families.emplace_back();
    if (IsOdd(bytes, pb::MetricFamily::descriptor())) throw OddPage("long tags or doubled labels");
    if (!family.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      throw OddPage("not decoded");
    }
  }
  return families;
}

int64_t Milliseconds(const pb::Timestamp& time) {
  return static_cast<int64_t>(static_cast<uint64_t>(time.seconds()) * 1000 +
                              static_cast<uint64_t>(int64_t{time.nanos() / 1'000'000}));
}

bool IsNative(const pb::Histogram& h) {
  return h.positive_span_size() > 0 || h.negative_span_size() > 0 || h.zero_threshold() > 0 ||
         h.zero_count() > 0;
}

bool IsFloat(const pb::Histogram& h) {
  return h.sample_count_float() > 0 || h.zero_count_float() > 0 || h.positive_count_size() > 0 ||
         h.negative_count_size() > 0;
}

double CountOf(const pb::Histogram& h) {
  return h.sample_count_float() != 0 ? h.sample_count_float()
                                     : static_cast<double>(h.sample_count());
}

double CountOf(const pb::Bucket& b) {
  return b.cumulative_count_float() != 0 ? b.cumulative_count_float()
                                         : static_cast<double>(b.cumulative_count());
}

// One side of a native histogram as (index, count) of each bucket, without the empty ones.
template <typename T>
struct Side {
  std::vector<std::pair<int64_t, T>> buckets;
  bool fits = true;
};

template <typename T, typename Spans, typename Values>
Side<T> ReadSide(const Spans& spans, const Values& values, bool deltas) {
  Side<T> side;
  int64_t index = 0;
  uint64_t covered = 0;
  for (int i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset() < 0) throw OddPage("a negative offset");
    covered += spans[i].length();
  }
  if (covered >> 32 != 0) throw OddPage("lengths that wrap");
  side.fits = covered == static_cast<uint64_t>(values.size());
  if (!side.fits) return side;
  int next = 0;
  T count = 0;
  for (const auto& span : spans) {
    index += span.offset();
    for (uint32_t k = 0; k < span.length(); ++k, ++index) {
      const T value = static_cast<T>(values[next++]);
      count = deltas ? count + value : value;
      if (count != 0) side.buckets.emplace_back(index, count);
    }
  }
  return side;
}

template <typename T, typename Out>
void WriteSide(const Side<T>& side, bool deltas, std::vector<BucketSpan>& spans,
               std::vector<Out>& buckets) {
  int64_t end = 0;
  T last = 0;
  for (const auto& [index, count] : side.buckets) {
    if (spans.empty() || index != end) {
      spans.push_back({static_cast<int32_t>(index - end), 0});
    }
    ++spans.back().length;
    end = index + 1;
    buckets.push_back(static_cast<Out>(deltas ? count - last : count));
    last = count;
  }
}

template <typename T, typename Values, typename Out>
void CompactSide(const google::protobuf::RepeatedPtrField<pb::BucketSpan>& from_spans,
                 const Values& values, bool deltas, std::vector<BucketSpan>& spans,
                 std::vector<Out>& buckets) {
  const Side<T> side = ReadSide<T>(from_spans, values, deltas);
  if (side.fits) {
    WriteSide(side, deltas, spans, buckets);
    return;
  }
  // Buckets without a place are dropped if no span has a length; but not if there is no span and no
  // empty bucket. All else stays as it is, to be found invalid.
  bool none_has_length = true;
  for (const auto& span : from_spans) none_has_length = none_has_length && span.length() == 0;
  bool any_empty = false;
  T count = 0;
  for (const auto value : values) {
    count = deltas ? count + static_cast<T>(value) : static_cast<T>(value);
    any_empty = any_empty || count == 0;
  }
  if (none_has_length && (from_spans.size() > 0 || any_empty)) return;
  buckets.push_back(1);  // without a span: invalid
}

NativeHistogram MakeNative(const pb::Histogram& h) {
  NativeHistogram out;
  out.schema = h.schema();
  out.zero_threshold = h.zero_threshold();
  out.sum = h.sample_sum();
  out.is_float = IsFloat(h);
  if (out.is_float) {
    out.count_float = h.sample_count_float();
    out.zero_count_float = h.zero_count_float();
    CompactSide<double>(h.positive_span(), h.positive_count(), false, out.positive_spans,
                        out.positive_counts);
    CompactSide<double>(h.negative_span(), h.negative_count(), false, out.negative_spans,
                        out.negative_counts);
  } else {
    out.count = h.sample_count();
    out.zero_count = h.zero_count();
    CompactSide<uint64_t>(h.positive_span(), h.positive_delta(), true, out.positive_spans,
                          out.positive_deltas);
    CompactSide<uint64_t>(h.negative_span(), h.negative_delta(), true, out.negative_spans,
                          out.negative_deltas);
  }
  return out;
}

void CheckFit(const pb::Histogram& h) {
  const auto fits = [](const auto& spans, int buckets) {
    uint64_t covered = 0;
    for (const auto& span : spans) covered += span.length();
    return covered == static_cast<uint64_t>(buckets);
  };
  const bool floats = IsFloat(h);
  if (!fits(h.positive_span(), floats ? h.positive_count_size() : h.positive_delta_size()) ||
      !fits(h.negative_span(), floats ? h.negative_count_size() : h.negative_delta_size())) {
    throw PageError("spans do not fit");
  }
}

// The buckets in the order of their bounds, each compared with its neighbours when it comes.
std::vector<std::pair<double, double>> SortBuckets(const pb::Histogram& h) {
  std::vector<std::pair<double, double>> buckets;
  for (const pb::Bucket& bucket : h.bucket()) {
    const double bound = bucket.upper_bound();
    const double count = CountOf(bucket);
    if (std::isnan(bound) || count < 0) throw PageError("bad bucket");
    size_t at = 0;
    while (at < buckets.size() && buckets[at].first < bound) ++at;
    if (at < buckets.size() && buckets[at].first == bound) continue;
    if (at > 0 && count < buckets[at - 1].second) throw PageError("not cumulative");
    if (at < buckets.size() && count > buckets[at].second) throw PageError("not cumulative");
    buckets.insert(buckets.begin() + static_cast<ptrdiff_t>(at), {bound, count});
  }
  return buckets;
}

NativeHistogram MakeCustom(const pb::Histogram& h) {
  if (CountOf(h) < 0) throw PageError("negative count");
  std::vector<std::pair<double, double>> buckets = SortBuckets(h);
  if (buckets.empty() || buckets.back().first != kInfinity) {
    if (!buckets.empty() && CountOf(h) < buckets.back().second) throw PageError("negative bucket");
    buckets.emplace_back(kInfinity, CountOf(h));
  }
  if (!(buckets.back().second == CountOf(h))) throw PageError("count mismatch");

  NativeHistogram out;
  out.schema = kCustomBucketsSchema;
  out.sum = h.sample_sum();
  for (size_t i = 0; i + 1 < buckets.size(); ++i) out.custom_values.push_back(buckets[i].first);
  const bool integers = std::all_of(buckets.begin(), buckets.end(), [](const auto& bucket) {
    return std::floor(bucket.second) == bucket.second && bucket.second < 0x1p63;
  });
  if (!integers) {
    out.is_float = true;
    out.count_float = CountOf(h);
    Side<double> side;
    double before = 0;
    for (size_t i = 0; i < buckets.size(); ++i) {
      const double count = buckets[i].second - before;
      if (count != 0) side.buckets.emplace_back(i, count);
      before = buckets[i].second;
    }
    WriteSide(side, false, out.positive_spans, out.positive_counts);
    return out;
  }
  out.count = static_cast<uint64_t>(CountOf(h));
  std::vector<uint64_t> counts;
  for (const auto& bucket : buckets) counts.push_back(static_cast<uint64_t>(bucket.second));
  Side<uint64_t> side;  // with runs of up to two empty buckets between others
  for (size_t i = 0; i < counts.size(); ++i) {
    const uint64_t count = counts[i] - (i > 0 ? counts[i - 1] : 0);
    if (count == 0) continue;
    if (!side.buckets.empty() && static_cast<int64_t>(i) - side.buckets.back().first <= 3) {
      while (side.buckets.back().first + 1 < static_cast<int64_t>(i)) {
        side.buckets.emplace_back(side.buckets.back().first + 1, 0);
      }
    }
    side.buckets.emplace_back(i, count);
  }
  WriteSide(side, true, out.positive_spans, out.positive_deltas);
  return out;
}

class SlowReading {
 public:
  SlowReading(const ProtobufHistogramRules& rules, const SlowProtobufSink& sink)
      : rules_(rules), sink_(sink) {}

  void ReadFamily(const pb::MetricFamily& family) {
    if (family.metric_size() == 0) return;
    if (family.name().empty() || !IsValidUtf8(family.name())) throw PageError("name");
    if (!IsValidUtf8(family.help())) throw PageError("help");
    if (family.type() < 0 || family.type() > 5) throw PageError("type");
    sink_.family({family.name(), family.type(), family.help(), family.unit()});
    family_ = &family;
    histogram_before_ = false;
    for (const pb::Metric& metric : family.metric()) {
      CheckWireTypes(metric, pb::Metric::kLabelFieldNumber);
      metric_ = &metric;
      ReadMetric();
    }
  }

 private:
  void ReadMetric() {
    const pb::Metric& m = *metric_;
    if (m.untyped().has_value()) untyped_ = m.untyped().value();
    switch (family_->type()) {
      case 0: {
        const pb::Counter& counter = m.counter();
        Float("", {}, counter.value(), counter.has_exemplar() ? &counter.exemplar() : nullptr);
        break;
      }
      case 1:
        Float("", {}, m.gauge().value());
        break;
      case 2:
        ReadSummary(m.summary());
        break;
      case 3:
        Float("", {}, untyped_);
        break;
      default:
        ReadHistogram(m.histogram());
        break;
    }
  }

  void ReadSummary(const pb::Summary& summary) {
    Float("_count", {}, static_cast<double>(summary.sample_count()));
    Float("_sum", {}, summary.sample_sum());
    for (const pb::Quantile& q : summary.quantile()) {
      Float("", {{"quantile", FormatOpenMetricsFloat(q.quantile())}}, q.value());
    }
  }

  void ReadHistogram(const pb::Histogram& h) {
    const bool native = !rules_.ignore_native && IsNative(h);
    if (native) {
      if (!histogram_before_) {
        list_position_ = bucket_position_ = 0;
        CheckFit(h);
      }
      Histogram(MakeNative(h));
      histogram_before_ = !(rules_.keep_classic && h.bucket_size() > 0);
      if (!histogram_before_) ReadClassic(h);
      return;
    }
    const bool convert = rules_.convert_classic;
    if (!convert || rules_.keep_classic) ReadClassic(h);
    if (convert) {
      list_position_ = bucket_position_ = 0;
      Histogram(MakeCustom(h));
    }
    histogram_before_ = convert;
  }

  void ReadClassic(const pb::Histogram& h) {
    Float("_count", {}, CountOf(h));
    Float("_sum", {}, h.sample_sum());
    for (const pb::Bucket& bucket : h.bucket()) {
      Float("_bucket", {{"le", FormatOpenMetricsFloat(bucket.upper_bound())}}, CountOf(bucket),
            bucket.has_exemplar() ? &bucket.exemplar() : nullptr);
      if (bucket.upper_bound() == kInfinity) return;
    }
    Float("_bucket", {{"le", "+Inf"}}, CountOf(h));
  }

  using Pairs = std::vector<std::pair<std::string, std::string>>;

  ProtobufSeriesText Series(const std::string& suffix, const Pairs& extra) {
    ProtobufSeriesText text;
    text.labels.emplace_back("__name__", family_->name() + suffix);
    for (const pb::LabelPair& pair : metric_->label()) {
      CheckWireTypes(pair);
      if (pair.has_name() && pair.name().empty()) throw PageError("label name");
      if (!IsValidUtf8(pair.name()) || !IsValidUtf8(pair.value())) throw PageError("label");
      text.labels.emplace_back(pair.name(), pair.value());
    }
    text.labels.insert(text.labels.end(), extra.begin(), extra.end());
    if (metric_->timestamp_ms() != 0) text.timestamp = metric_->timestamp_ms();
    const int64_t start = StartTime();
    if (start != 0) text.start = start;
    return text;
  }

  int64_t StartTime() const {
    switch (family_->type()) {
      case 0:
        return Milliseconds(metric_->counter().start_timestamp());
      case 2:
        return Milliseconds(metric_->summary().start_timestamp());
      case 4:
      case 5:
        return Milliseconds(metric_->histogram().start_timestamp());
      default:
        return 0;
    }
  }

  static ProtobufSeriesText::Exemplar ExemplarText(const pb::Exemplar& exemplar) {
    ProtobufSeriesText::Exemplar text;
    for (const pb::LabelPair& pair : exemplar.label()) {
      text.labels.emplace_back(pair.name(), pair.value());
    }
    text.value = exemplar.value();
    if (exemplar.has_timestamp()) text.timestamp = Milliseconds(exemplar.timestamp());
    return text;
  }

  void Float(const std::string& suffix, const Pairs& extra, double value,
             const pb::Exemplar* exemplar = nullptr) {
    ProtobufSeriesText text = Series(suffix, extra);
    if (sink_.wants_exemplars(text) && exemplar != nullptr) {
      text.exemplars.push_back(ExemplarText(*exemplar));
    }
    if (!sink_.take(text, value, nullptr)) throw StoppedReading();
  }

  void Histogram(NativeHistogram histogram) {
    ProtobufSeriesText text = Series("", {});
    if (family_->type() == 5) histogram.reset_hint = NativeHistogram::ResetHint::kGauge;
    if (sink_.wants_exemplars(text)) TakeHistogramExemplars(text);
    if (!sink_.take(text, 0, &histogram)) throw StoppedReading();
  }

  void TakeHistogramExemplars(ProtobufSeriesText& text) {
    const pb::Histogram& h = metric_->histogram();
    if (h.exemplars_size() > 0) {
      for (; list_position_ < h.exemplars_size(); ++list_position_) {
        const pb::Exemplar& exemplar = h.exemplars(list_position_);
        if (exemplar.has_timestamp()) text.exemplars.push_back(ExemplarText(exemplar));
      }
      return;
    }
    for (; bucket_position_ < h.bucket_size(); ++bucket_position_) {
      const pb::Exemplar& exemplar = h.bucket(bucket_position_).exemplar();
      if (exemplar.has_timestamp()) text.exemplars.push_back(ExemplarText(exemplar));
    }
  }

  const ProtobufHistogramRules& rules_;
  const SlowProtobufSink& sink_;
  const pb::MetricFamily* family_ = nullptr;
  const pb::Metric* metric_ = nullptr;
  double untyped_ = 0;             // the reference's does not forget it
  bool histogram_before_ = false;  // nor these, after a histogram
  int list_position_ = 0, bucket_position_ = 0;
};

}  // namespace

SlowProtobufEnd ReadProtobufPageSlowly(std::string_view page, const ProtobufHistogramRules& rules,
                                       const SlowProtobufSink& sink, std::string* error) {
  SlowReading reading(rules, sink);
  try {
    bool truncated = false;
    for (const pb::MetricFamily& family : DecodeFamilies(page, truncated)) {
      CheckWireTypes(family, pb::MetricFamily::kMetricFieldNumber);
      reading.ReadFamily(family);
    }
    if (truncated) throw PageError("truncated");
  } catch (const PageError& problem) {
    if (error != nullptr) *error = problem.what();
    return SlowProtobufEnd::kError;
  } catch (const OddPage&) {
    return SlowProtobufEnd::kOdd;
  } catch (const StoppedReading&) {
    return SlowProtobufEnd::kStopped;
  }
  return SlowProtobufEnd::kGood;
}

SlowProtobufPage ReadProtobufPageSlowly(std::string_view page,
                                        const ProtobufHistogramRules& rules) {
  SlowProtobufPage result;
  std::vector<std::string>& lines = result.text.lines;
  size_t number = 0;
  SlowProtobufSink sink;
  sink.family = [&](const ProtobufFamilyText& family) {
    lines.push_back(FamilyLine(family.name, family.type, family.help, family.unit));
  };
  sink.wants_exemplars = [&](const ProtobufSeriesText&) { return TakesExemplars(number++); };
  sink.take = [&](const ProtobufSeriesText& series, double value,
                  const NativeHistogram* histogram) {
    lines.push_back(histogram == nullptr ? FloatLine(series, value)
                                         : HistogramLine(series, *histogram));
    return true;
  };
  const SlowProtobufEnd end = ReadProtobufPageSlowly(page, rules, sink, &result.text.error);
  result.odd = end == SlowProtobufEnd::kOdd;
  if (end == SlowProtobufEnd::kError) {
    result.text.ok = false;
    std::erase_if(lines, [](const std::string& line) { return line[0] == 'F'; });
  }
  return result;
}

std::optional<std::string> RewriteProtobufPage(std::string_view page) {
  std::string out;
  try {
    bool truncated = false;
    for (const pb::MetricFamily& family : DecodeFamilies(page, truncated)) {
      const std::string bytes = family.SerializeAsString();
      PutVarint(out, bytes.size());
      out += bytes;
    }
    if (truncated) return std::nullopt;
  } catch (const OddPage&) {
    return std::nullopt;
  }
  return out;
}

}  // namespace tributary
