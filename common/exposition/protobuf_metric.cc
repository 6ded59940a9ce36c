#include "common/exposition/protobuf_metric.h"

#include <optional>
#include <string>

#include "common/base/protobuf_cursor.h"
#include "common/base/utf8.h"
#include "common/base/varint.h"

namespace tributary {
namespace {

using Cursor = ProtobufCursor;
using Field = ProtobufField;
using Metric = ProtobufMetric;

bool Decode(std::string_view bytes, const char*& problem, ProtobufTimestamp& out) {
  Cursor in(bytes, problem);
  for (Field field; in.Next(field);) {
    switch (field.number) {
      case 1:
        in.Read(field, out.seconds);
        break;
      case 2:
        in.Read(field, out.nanos);
        break;
      default:
        in.Skip(field);
    }
  }
  return in.ok();
}

bool Decode(std::string_view bytes, const char*& problem, ProtobufLabel& out) {
  Cursor in(bytes, problem);
  for (Field field; in.Next(field);) {
    switch (field.number) {
      case 1:
        in.Read(field, out.name);
        break;
      case 2:
        in.Read(field, out.value);
        break;
      default:
        in.Skip(field);
    }
  }
  return in.ok();
}

// Of a message that is there, if perhaps empty, and is merged into what was there before.
template <typename T>
void DecodeOptional(Cursor& in, const Field& field, const char*& problem, std::optional<T>& out) {
  std::string_view bytes;
  if (!in.Read(field, bytes)) return;
  if (!out) out.emplace();
  Decode(bytes, problem, *out);
}

// Decodes one metric; `problem_` tells what is wrong with it.
class MetricDecoder {
 public:
  MetricDecoder(Metric& out, const char*& problem) : out_(out), problem_(problem) {}

  bool Run(std::string_view bytes) {
    Cursor in(bytes, problem_);
    for (Field field; in.Next(field);) {
      switch (field.number) {
        case 1:
          TakeLabel(in, field);
          break;
        case 2:
          TakeValue(in, field, out_.gauge_value);
          break;
        case 3:
          Nested(in, field, &MetricDecoder::TakeCounter);
          break;
        case 4:
          Nested(in, field, &MetricDecoder::TakeSummary);
          break;
        case 5:
          TakeValue(in, field, out_.untyped_value);
          break;
        case 6:
          in.Read(field, out_.timestamp);
          break;
        case 7:
          Nested(in, field, &MetricDecoder::TakeHistogram);
          break;
        default:
          in.Skip(field);
      }
    }
    out_.label_bytes = labels_scattered_ ? std::string_view(out_.label_scratch)
                                         : std::string_view(labels_begin_, labels_size_);
    return in.ok();
  }

 private:
  template <typename Take>
  void Nested(Cursor& in, const Field& field, Take take) {
    std::string_view bytes;
    if (in.Read(field, bytes)) (this->*take)(bytes);
  }

  // Labels are one run of bytes for every producer there is.
  void TakeLabel(Cursor& in, const Field& field) {
    std::string_view pair;
    if (!in.Read(field, pair)) return;
    const auto size = static_cast<size_t>(in.position() - field.begin);
    if (labels_begin_ == nullptr) labels_begin_ = field.begin;
    if (!labels_scattered_ && labels_begin_ + labels_size_ != field.begin) {
      labels_scattered_ = true;
      out_.label_scratch.assign(labels_begin_, labels_size_);
    }
    if (labels_scattered_) out_.label_scratch.append(field.begin, size);
    labels_size_ += size;
  }

  // A message of one double: Gauge, Untyped.
  void TakeValue(Cursor& in, const Field& field, double& value) {
    std::string_view bytes;
    if (!in.Read(field, bytes)) return;
    Cursor inner(bytes, problem_);
    for (Field f; inner.Next(f);) {
      if (f.number == 1) {
        inner.Read(f, value);
      } else {
        inner.Skip(f);
      }
    }
  }

  void TakeCounter(std::string_view bytes) {
    Cursor in(bytes, problem_);
    for (Field field; in.Next(field);) {
      switch (field.number) {
        case 1:
          in.Read(field, out_.counter.value);
          break;
        case 2:
          TakeExemplar(in, field, out_.counter.exemplar);
          break;
        case 3:
          DecodeOptional(in, field, problem_, out_.counter.start);
          break;
        default:
          in.Skip(field);
      }
    }
  }

  void TakeSummary(std::string_view bytes) {
    Cursor in(bytes, problem_);
    for (Field field; in.Next(field);) {
      switch (field.number) {
        case 1:
          in.Read(field, out_.summary.count);
          break;
        case 2:
          in.Read(field, out_.summary.sum);
          break;
        case 3:
          Nested(in, field, &MetricDecoder::TakeQuantile);
          break;
        case 4:
          DecodeOptional(in, field, problem_, out_.summary.start);
          break;
        default:
          in.Skip(field);
      }
    }
  }

  void TakeQuantile(std::string_view bytes) {
    Metric::Quantile& out = out_.summary.quantiles.emplace_back();
    Cursor in(bytes, problem_);
    for (Field field; in.Next(field);) {
      switch (field.number) {
        case 1:
          in.Read(field, out.quantile);
          break;
        case 2:
          in.Read(field, out.value);
          break;
        default:
          in.Skip(field);
      }
    }
  }

  void TakeHistogram(std::string_view bytes) {
    Metric::Histogram& out = out_.histogram;
    NativeHistogram& native = out.native;
    Cursor in(bytes, problem_);
    for (Field field; in.Next(field);) {
      switch (field.number) {
        case 1:
          in.Read(field, out.count);
          break;
        case 2:
          in.Read(field, out.sum);
          break;
        case 3:
          Nested(in, field, &MetricDecoder::TakeBucket);
          break;
        case 4:
          in.Read(field, out.count_float);
          break;
        case 5:
          in.ReadZigZag(field, native.schema);
          break;
        case 6:
          in.Read(field, native.zero_threshold);
          break;
        case 7:
          in.Read(field, native.zero_count);
          break;
        case 8:
          in.Read(field, native.zero_count_float);
          break;
        case 9:
          TakeSpan(in, field, native.negative_spans);
          break;
        case 10:
          TakeDeltas(in, field, native.negative_deltas);
          break;
        case 11:
          TakeCounts(in, field, native.negative_counts);
          break;
        case 12:
          TakeSpan(in, field, native.positive_spans);
          break;
        case 13:
          TakeDeltas(in, field, native.positive_deltas);
          break;
        case 14:
          TakeCounts(in, field, native.positive_counts);
          break;
        case 15:
          DecodeOptional(in, field, problem_, out.start);
          break;
        case 16:
          out.exemplars.push_back(Metric::kNoExemplar);
          TakeExemplar(in, field, out.exemplars.back());
          break;
        default:
          in.Skip(field);
      }
    }
  }

  void TakeBucket(std::string_view bytes) {
    Metric::Bucket& out = out_.histogram.buckets.emplace_back();
    Cursor in(bytes, problem_);
    for (Field field; in.Next(field);) {
      switch (field.number) {
        case 1:
          in.Read(field, out.cumulative_count);
          break;
        case 2:
          in.Read(field, out.upper_bound);
          break;
        case 3:
          TakeExemplar(in, field, out.exemplar);
          break;
        case 4:
          in.Read(field, out.cumulative_count_float);
          break;
        default:
          in.Skip(field);
      }
    }
  }

  void TakeSpan(Cursor& in, const Field& field, std::vector<BucketSpan>& spans) {
    std::string_view bytes;
    if (!in.Read(field, bytes)) return;
    BucketSpan& out = spans.emplace_back();
    Cursor inner(bytes, problem_);
    for (Field f; inner.Next(f);) {
      switch (f.number) {
        case 1:
          inner.ReadZigZag(f, out.offset);
          break;
        case 2:
          inner.Read(f, out.length);
          break;
        default:
          inner.Skip(f);
      }
    }
  }

  static void TakeDeltas(Cursor& in, const Field& field, std::vector<int64_t>& deltas) {
    in.ReadZigZags(field, [&](int64_t delta) { deltas.push_back(delta); });
  }

  static void TakeCounts(Cursor& in, const Field& field, std::vector<double>& counts) {
    in.ReadDoubles(field, [&](double count) { counts.push_back(count); });
  }

  void TakeExemplar(Cursor& in, const Field& field, uint32_t& index) {
    std::string_view bytes;
    if (!in.Read(field, bytes)) return;
    const auto labels_end = static_cast<uint32_t>(out_.exemplar_labels.size());
    if (index == Metric::kNoExemplar) {
      index = static_cast<uint32_t>(out_.exemplars.size());
      out_.exemplars.emplace_back().labels_begin = labels_end;
    }
    ProtobufExemplar& out = out_.exemplars[index];
    if (out.labels_begin + out.labels_count != labels_end) MoveLabelsToEnd(out);
    Cursor inner(bytes, problem_);
    for (Field f; inner.Next(f);) {
      switch (f.number) {
        case 1:
          TakeExemplarLabel(inner, f, out);
          break;
        case 2:
          inner.Read(f, out.value);
          break;
        case 3:
          DecodeOptional(inner, f, problem_, out.timestamp);
          break;
        default:
          inner.Skip(f);
      }
    }
  }

  void TakeExemplarLabel(Cursor& in, const Field& field, ProtobufExemplar& exemplar) {
    std::string_view bytes;
    if (!in.Read(field, bytes)) return;
    Decode(bytes, problem_, out_.exemplar_labels.emplace_back());
    ++exemplar.labels_count;
  }

  // One that comes again after others: its labels are to stay side by side.
  void MoveLabelsToEnd(ProtobufExemplar& exemplar) {
    const uint32_t begin = exemplar.labels_begin;
    exemplar.labels_begin = static_cast<uint32_t>(out_.exemplar_labels.size());
    for (uint32_t i = 0; i < exemplar.labels_count; ++i) {
      const ProtobufLabel label = out_.exemplar_labels[begin + i];
      out_.exemplar_labels.push_back(label);
    }
  }

  Metric& out_;
  const char*& problem_;
  const char* labels_begin_ = nullptr;
  size_t labels_size_ = 0;
  bool labels_scattered_ = false;
};

// As Decode, with the checks of a series' labels; each is made whenever the field comes, not only
// on what counts in the end. A name that is not there is left to the checks after relabeling.
bool DecodeChecked(std::string_view bytes, const char*& problem, ProtobufLabel& out) {
  Cursor in(bytes, problem);
  for (Field field; in.Next(field);) {
    if (field.number == 1 && in.Read(field, out.name)) {
      if (out.name.empty()) problem = "a label's name is empty";
      if (!IsValidUtf8(out.name)) problem = "a label's name is not UTF-8";
    } else if (field.number == 2 && in.Read(field, out.value)) {
      if (!IsValidUtf8(out.value)) problem = "a label's value is not UTF-8";
    } else if (in.ok()) {
      in.Skip(field);
    }
  }
  return in.ok();
}

}  // namespace

TimestampMs ProtobufTimestamp::Milliseconds() const {
  const uint64_t whole = static_cast<uint64_t>(seconds) * 1000;
  return static_cast<TimestampMs>(whole + static_cast<uint64_t>(int64_t{nanos / 1'000'000}));
}

double ProtobufMetric::Bucket::Count() const {
  return cumulative_count_float != 0 ? cumulative_count_float
                                     : static_cast<double>(cumulative_count);
}

double ProtobufMetric::Histogram::Count() const {
  return count_float != 0 ? count_float : static_cast<double>(count);
}

bool ProtobufMetric::Histogram::IsNative() const {
  return !native.positive_spans.empty() || !native.negative_spans.empty() ||
         native.zero_threshold > 0 || native.zero_count > 0;
}

bool ProtobufMetric::Histogram::IsFloat() const {
  return count_float > 0 || native.zero_count_float > 0 || !native.positive_counts.empty() ||
         !native.negative_counts.empty();
}

void ProtobufMetric::Clear() {
  label_bytes = {};
  timestamp = 0;
  gauge_value = 0;
  counter = {};
  summary.count = 0;
  summary.sum = 0;
  summary.quantiles.clear();
  summary.start.reset();
  histogram.count = 0;
  histogram.count_float = histogram.sum = 0;
  histogram.buckets.clear();
  histogram.exemplars.clear();
  histogram.start.reset();
  histogram.native.Clear();
  exemplars.clear();
  exemplar_labels.clear();
}

Status DecodeProtobufMetric(std::string_view bytes, ProtobufMetric& out) {
  out.Clear();
  const char* problem = nullptr;
  if (!MetricDecoder(out, problem).Run(bytes)) {
    return Fail(std::string("malformed metric: ") + problem);
  }
  return {};
}

namespace {

constexpr char kPairTag = 0x0a, kNameTag = 0x0a, kValueTag = 0x12;

// Takes a field off the front of `in`. False if it is none, or longer than 16 KiB, or not written
// in the shortest form.
inline bool TakePlain(std::string_view& in, char tag, std::string_view& bytes) {
  if (in.size() < 2 || in[0] != tag) return false;
  size_t size = static_cast<uint8_t>(in[1]);
  size_t head = 2;
  if (size >= 128) {
    if (in.size() < 3) return false;
    const auto high = static_cast<uint8_t>(in[2]);
    if (high == 0 || high >= 128) return false;
    size = (size & 127) | size_t{high} << 7;
    head = 3;
  }
  if (in.size() - head < size) return false;
  bytes = in.substr(head, size);
  in.remove_prefix(head + size);
  return true;
}

bool IsPlain(std::string_view label_bytes) {
  while (!label_bytes.empty()) {
    std::string_view pair, text;
    if (!TakePlain(label_bytes, kPairTag, pair) || !TakePlain(pair, kNameTag, text) ||
        !TakePlain(pair, kValueTag, text) || !pair.empty()) {
      return false;
    }
  }
  return true;
}

void PutField(std::string& out, char tag, std::string_view bytes) {
  out += tag;
  PutVarint(out, bytes.size());
  out += bytes;
}

}  // namespace

std::string_view CanonicalLabelBytes(std::string_view label_bytes, std::string& scratch) {
  if (IsPlain(label_bytes)) return label_bytes;
  std::vector<ProtobufLabel> labels;
  if (!DecodeProtobufLabels(label_bytes, labels)) return label_bytes;
  scratch.clear();
  std::string pair;
  for (const ProtobufLabel& label : labels) {
    pair.clear();
    PutField(pair, kNameTag, label.name);
    PutField(pair, kValueTag, label.value);
    PutField(scratch, kPairTag, pair);
  }
  return scratch;
}

Status DecodeProtobufLabels(std::string_view label_bytes, std::vector<ProtobufLabel>& out) {
  const char* problem = nullptr;
  Cursor in(label_bytes, problem);
  for (Field field; in.Next(field);) {
    std::string_view pair;
    if (in.Read(field, pair)) DecodeChecked(pair, problem, out.emplace_back());
  }
  if (problem != nullptr) return Fail(problem);
  return {};
}

}  // namespace tributary
