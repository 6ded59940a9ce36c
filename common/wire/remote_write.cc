#include "common/wire/remote_write.h"

#include <snappy.h>

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
constexpr uint32_t kLabelName = 1;
constexpr uint32_t kLabelValue = 2;
constexpr uint32_t kSampleValue = 1;
constexpr uint32_t kSampleTimestamp = 2;
constexpr uint32_t kMetadataType = 1;
constexpr uint32_t kMetadataFamily = 2;
constexpr uint32_t kMetadataHelp = 4;
constexpr uint32_t kMetadataUnit = 5;

// Every field number here is below 16.
constexpr size_t kTagSize = 1;

// An absent field means zero. Minus zero is left out too, as Prometheus' encoder does: receivers get the
// same from both.
bool IsDefault(double value) { return value == 0; }

size_t SampleSize(double value, TimestampMs timestamp) {
  size_t size = IsDefault(value) ? 0 : kTagSize + sizeof(double);
  if (timestamp != 0) size += kTagSize + VarintSize(static_cast<uint64_t>(timestamp));
  return size;
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

void WriteRequestBuilder::AddSample(std::string_view encoded_labels, double value,
                                    TimestampMs timestamp) {
  const size_t sample_size = SampleSize(value, timestamp);
  const size_t series_size =
      encoded_labels.size() + kTagSize + VarintSize(sample_size) + sample_size;
  AppendTag(kRequestTimeseries, WireType::kBytes, raw_);
  AppendVarint(series_size, raw_);
  raw_ += encoded_labels;
  AppendTag(kSeriesSamples, WireType::kBytes, raw_);
  AppendVarint(sample_size, raw_);
  if (!IsDefault(value)) AppendDoubleField(kSampleValue, value, raw_);
  // A negative time is its two's complement in 64 bits: ten bytes.
  if (timestamp != 0) {
    AppendVarintField(kSampleTimestamp, static_cast<uint64_t>(timestamp), raw_);
  }
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
