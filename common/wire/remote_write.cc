#include "common/wire/remote_write.h"

#include <snappy.h>

#include "common/base/assert.h"
#include "common/base/varint.h"
#include "common/wire/protobuf_writer.h"

namespace tributary {
namespace {

using protobuf::AppendBytesField;
using protobuf::AppendDoubleField;
using protobuf::AppendTag;
using protobuf::AppendVarint;
using protobuf::AppendVarintField;
using protobuf::VarintSize;
using protobuf::WireType;

// Field numbers of prompb.
constexpr uint32_t kRequestTimeseries = 1;
constexpr uint32_t kRequestMetadata = 3;
constexpr uint32_t kSeriesLabels = 1;
constexpr uint32_t kSeriesSamples = 2;
constexpr uint32_t kSeriesExemplars = 3;
constexpr uint32_t kSeriesHistograms = 4;
constexpr uint32_t kLabelName = 1;
constexpr uint32_t kLabelValue = 2;
constexpr uint32_t kSampleValue = 1;
constexpr uint32_t kSampleTimestamp = 2;
constexpr uint32_t kExemplarValue = 2;
constexpr uint32_t kExemplarTimestamp = 3;
constexpr uint32_t kHistogramTimestamp = 15;
constexpr uint32_t kMetadataType = 1;
constexpr uint32_t kMetadataFamily = 2;
constexpr uint32_t kMetadataHelp = 4;
constexpr uint32_t kMetadataUnit = 5;

// Of field numbers below 16.
constexpr size_t kTagSize = 1;

// An absent field means zero. Minus zero is left out too, as Prometheus' encoder does: receivers
// get the same from both.
bool IsDefault(double value) { return value == 0; }

// A negative time is its two's complement in 64 bits: ten bytes.
size_t TimestampSize(TimestampMs timestamp) {
  return timestamp == 0 ? 0 : kTagSize + VarintSize(static_cast<uint64_t>(timestamp));
}

// Of a value and a time, with tags of one byte.
size_t SampleSize(double value, TimestampMs timestamp) {
  return (IsDefault(value) ? 0 : kTagSize + sizeof(double)) + TimestampSize(timestamp);
}

void AppendTimestamp(uint32_t field, TimestampMs timestamp, std::string& out) {
  if (timestamp != 0) AppendVarintField(field, static_cast<uint64_t>(timestamp), out);
}

// Begins a TimeSeries with one message of `size` bytes in its field `field`; the message follows.
void OpenSeries(std::string_view encoded_labels, uint32_t field, size_t size, std::string& out) {
  AppendTag(kRequestTimeseries, WireType::kBytes, out);
  AppendVarint(encoded_labels.size() + kTagSize + VarintSize(size) + size, out);
  out += encoded_labels;
  AppendTag(field, WireType::kBytes, out);
  AppendVarint(size, out);
}

void AppendStringField(uint32_t field, std::string_view text, std::string& out) {
  if (!text.empty()) AppendBytesField(field, text, out);
}

}  // namespace

std::string EncodeLabels(const Labels& labels) {
  std::string out, label_bytes;
  for (const Label& label : labels) {
    label_bytes.clear();
    AppendStringField(kLabelName, label.name, label_bytes);
    AppendStringField(kLabelValue, label.value, label_bytes);
    AppendBytesField(kSeriesLabels, label_bytes, out);
  }
  return out;
}

bool TakeEncodedLabel(std::string_view& encoded, std::string_view& name, std::string_view& value) {
  if (encoded.empty()) return false;
  auto take = [](std::string_view& in) {
    uint64_t size = 0;
    in.remove_prefix(kTagSize);
    CHECK(TakeVarint(in, size) && size <= in.size());
    const std::string_view bytes = in.substr(0, size);
    in.remove_prefix(size);
    return bytes;
  };
  std::string_view label = take(encoded);
  name = value = {};
  while (!label.empty()) {
    const auto field = static_cast<uint32_t>(label.front()) >> 3;
    (field == kLabelName ? name : value) = take(label);
  }
  return true;
}

void WriteRequestBuilder::AddSample(std::string_view encoded_labels, double value,
                                    TimestampMs timestamp) {
  OpenSeries(encoded_labels, kSeriesSamples, SampleSize(value, timestamp), raw_);
  if (!IsDefault(value)) AppendDoubleField(kSampleValue, value, raw_);
  AppendTimestamp(kSampleTimestamp, timestamp, raw_);
}

void WriteRequestBuilder::AddHistogram(std::string_view encoded_labels, std::string_view encoded,
                                       TimestampMs timestamp) {
  const size_t size = encoded.size() + TimestampSize(timestamp);
  OpenSeries(encoded_labels, kSeriesHistograms, size, raw_);
  raw_ += encoded;
  AppendTimestamp(kHistogramTimestamp, timestamp, raw_);
}

void WriteRequestBuilder::AddExemplar(std::string_view encoded_labels,
                                      std::string_view exemplar_labels, double value,
                                      TimestampMs timestamp) {
  const size_t size = exemplar_labels.size() + SampleSize(value, timestamp);
  OpenSeries(encoded_labels, kSeriesExemplars, size, raw_);
  raw_ += exemplar_labels;
  if (!IsDefault(value)) AppendDoubleField(kExemplarValue, value, raw_);
  AppendTimestamp(kExemplarTimestamp, timestamp, raw_);
}

void WriteRequestBuilder::AddMetadata(std::string_view family, MetricType type,
                                      std::string_view help, std::string_view unit) {
  std::string metadata;
  if (type != MetricType::kUnknown) {
    AppendVarintField(kMetadataType, static_cast<uint64_t>(type), metadata);
  }
  AppendStringField(kMetadataFamily, family, metadata);
  AppendStringField(kMetadataHelp, help, metadata);
  AppendStringField(kMetadataUnit, unit, metadata);
  AppendBytesField(kRequestMetadata, metadata, raw_);
}

std::string WriteRequestBuilder::Finish() {
  std::string compressed;
  snappy::Compress(raw_.data(), raw_.size(), &compressed);
  raw_.clear();
  return compressed;
}

}  // namespace tributary
