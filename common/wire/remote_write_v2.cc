#include "common/wire/remote_write_v2.h"

#include <snappy.h>

#include <cstring>

#include "common/wire/protobuf_writer.h"

namespace tributary {
namespace {

using protobuf::AppendBytesField;
using protobuf::AppendDoubleField;
using protobuf::AppendVarint;
using protobuf::AppendVarintField;

// Field numbers of io.prometheus.write.v2.
constexpr uint32_t kRequestSymbols = 4;
constexpr uint32_t kRequestTimeseries = 5;
constexpr uint32_t kSeriesLabelsRefs = 1;
constexpr uint32_t kSeriesSamples = 2;
constexpr uint32_t kSeriesHistograms = 3;
constexpr uint32_t kSeriesExemplars = 4;
constexpr uint32_t kSeriesMetadata = 5;
constexpr uint32_t kSampleValue = 1;
constexpr uint32_t kSampleTimestamp = 2;
constexpr uint32_t kSampleStart = 3;
constexpr uint32_t kExemplarLabelsRefs = 1;
constexpr uint32_t kExemplarValue = 2;
constexpr uint32_t kExemplarTimestamp = 3;
constexpr uint32_t kHistogramTimestamp = 15;
constexpr uint32_t kHistogramStart = 17;
constexpr uint32_t kMetadataType = 1;
constexpr uint32_t kMetadataHelpRef = 3;
constexpr uint32_t kMetadataUnitRef = 4;

// An absent field means zero; minus zero is left out too (remote_write.cc).
void AppendValue(uint32_t field, double value, std::string& out) {
  if (value != 0) AppendDoubleField(field, value, out);
}

void AppendNumber(uint32_t field, uint64_t number, std::string& out) {
  if (number != 0) AppendVarintField(field, number, out);
}

void AppendTimestamp(uint32_t field, TimestampMs timestamp, std::string& out) {
  AppendNumber(field, static_cast<uint64_t>(timestamp), out);
}

}  // namespace

SymbolTable::SymbolTable() : numbers_(0, Hash{HashKey::Random()}) { Clear(); }

void SymbolTable::Clear() {
  numbers_.clear();
  texts_.release();
  encoded_ = {};
  AppendBytesField(kRequestSymbols, "", encoded_);
}

uint32_t SymbolTable::Number(std::string_view text) {
  if (text.empty()) return 0;
  if (auto it = numbers_.find(text); it != numbers_.end()) return it->second;
  auto* copy = static_cast<char*>(texts_.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  const auto number = static_cast<uint32_t>(numbers_.size()) + 1;
  numbers_.emplace(std::string_view(copy, text.size()), number);
  AppendBytesField(kRequestSymbols, text, encoded_);
  return number;
}

void WriteRequestV2Builder::AppendLabels(uint32_t field, std::string_view encoded_labels,
                                         std::string& out) {
  refs_.clear();
  std::string_view name, value;
  while (TakeEncodedLabel(encoded_labels, name, value)) {
    AppendVarint(symbols_.Number(name), refs_);
    AppendVarint(symbols_.Number(value), refs_);
  }
  if (!refs_.empty()) AppendBytesField(field, refs_, out);
}

void WriteRequestV2Builder::Append(const SeriesV2& series, uint32_t field) {
  time_series_.clear();
  AppendLabels(kSeriesLabelsRefs, series.encoded_labels, time_series_);
  AppendBytesField(field, message_, time_series_);
  metadata_.clear();
  AppendNumber(kMetadataType, static_cast<uint64_t>(series.type), metadata_);
  AppendNumber(kMetadataHelpRef, symbols_.Number(series.help), metadata_);
  AppendNumber(kMetadataUnitRef, symbols_.Number(series.unit), metadata_);
  if (!metadata_.empty()) AppendBytesField(kSeriesMetadata, metadata_, time_series_);
  AppendBytesField(kRequestTimeseries, time_series_, series_);
}

void WriteRequestV2Builder::AddSample(const SeriesV2& series, double value, TimestampMs timestamp,
                                      TimestampMs start) {
  message_.clear();
  AppendValue(kSampleValue, value, message_);
  AppendTimestamp(kSampleTimestamp, timestamp, message_);
  AppendTimestamp(kSampleStart, start, message_);
  Append(series, kSeriesSamples);
}

void WriteRequestV2Builder::AddHistogram(const SeriesV2& series, std::string_view encoded,
                                         TimestampMs timestamp, TimestampMs start) {
  message_ = encoded;
  AppendTimestamp(kHistogramTimestamp, timestamp, message_);
  AppendTimestamp(kHistogramStart, start, message_);
  Append(series, kSeriesHistograms);
}

void WriteRequestV2Builder::AddExemplar(const SeriesV2& series, std::string_view exemplar_labels,
                                        double value, TimestampMs timestamp) {
  message_.clear();
  AppendLabels(kExemplarLabelsRefs, exemplar_labels, message_);
  AppendValue(kExemplarValue, value, message_);
  AppendTimestamp(kExemplarTimestamp, timestamp, message_);
  Append(series, kSeriesExemplars);
}

std::string WriteRequestV2Builder::Finish() {
  const std::string raw = symbols_.encoded() + series_;
  // Between requests no room is kept for one.
  series_ = {};
  symbols_.Clear();
  std::string compressed;
  snappy::Compress(raw.data(), raw.size(), &compressed);
  return compressed;
}

}  // namespace tributary
