#include "common/wire/histogram.h"

#include <cstdint>
#include <vector>

#include "common/wire/protobuf_writer.h"

namespace tributary {
namespace {

using protobuf::AppendDouble;
using protobuf::AppendDoubleField;
using protobuf::AppendTag;
using protobuf::AppendVarint;
using protobuf::AppendVarintField;
using protobuf::VarintSize;
using protobuf::WireType;
using protobuf::ZigZag;

// Field numbers.
constexpr uint32_t kCountInt = 1;
constexpr uint32_t kCountFloat = 2;
constexpr uint32_t kSum = 3;
constexpr uint32_t kSchema = 4;
constexpr uint32_t kZeroThreshold = 5;
constexpr uint32_t kZeroCountInt = 6;
constexpr uint32_t kZeroCountFloat = 7;
constexpr uint32_t kNegativeSpans = 8;
constexpr uint32_t kNegativeDeltas = 9;
constexpr uint32_t kNegativeCounts = 10;
constexpr uint32_t kPositiveSpans = 11;
constexpr uint32_t kPositiveDeltas = 12;
constexpr uint32_t kPositiveCounts = 13;
constexpr uint32_t kResetHint = 14;
constexpr uint32_t kCustomValues = 16;
constexpr uint32_t kSpanOffset = 1;
constexpr uint32_t kSpanLength = 2;

void AppendSpans(uint32_t field, const std::vector<BucketSpan>& spans, std::string& out) {
  std::string bytes;
  for (const BucketSpan& span : spans) {
    bytes.clear();
    if (span.offset != 0) AppendVarintField(kSpanOffset, ZigZag(span.offset), bytes);
    if (span.length != 0) AppendVarintField(kSpanLength, span.length, bytes);
    protobuf::AppendBytesField(field, bytes, out);
  }
}

void AppendDeltas(uint32_t field, const std::vector<int64_t>& deltas, std::string& out) {
  if (deltas.empty()) return;
  size_t size = 0;
  for (int64_t delta : deltas) size += VarintSize(ZigZag(delta));
  AppendTag(field, WireType::kBytes, out);
  AppendVarint(size, out);
  for (int64_t delta : deltas) AppendVarint(ZigZag(delta), out);
}

void AppendDoubles(uint32_t field, const std::vector<double>& values, std::string& out) {
  if (values.empty()) return;
  AppendTag(field, WireType::kBytes, out);
  AppendVarint(values.size() * sizeof(double), out);
  for (double value : values) AppendDouble(value, out);
}

}  // namespace

void EncodeHistogram(const NativeHistogram& histogram, std::string& out) {
  const NativeHistogram& h = histogram;
  // Members of a oneof are there even if they are zero: they say which kind it is.
  if (h.is_float) {
    AppendDoubleField(kCountFloat, h.count_float, out);
  } else {
    AppendVarintField(kCountInt, h.count, out);
  }
  if (h.sum != 0) AppendDoubleField(kSum, h.sum, out);
  if (h.schema != 0) AppendVarintField(kSchema, ZigZag(h.schema), out);
  if (h.zero_threshold != 0) AppendDoubleField(kZeroThreshold, h.zero_threshold, out);
  if (h.is_float) {
    AppendDoubleField(kZeroCountFloat, h.zero_count_float, out);
  } else {
    AppendVarintField(kZeroCountInt, h.zero_count, out);
  }
  AppendSpans(kNegativeSpans, h.negative_spans, out);
  if (h.is_float) {
    AppendDoubles(kNegativeCounts, h.negative_counts, out);
  } else {
    AppendDeltas(kNegativeDeltas, h.negative_deltas, out);
  }
  AppendSpans(kPositiveSpans, h.positive_spans, out);
  if (h.is_float) {
    AppendDoubles(kPositiveCounts, h.positive_counts, out);
  } else {
    AppendDeltas(kPositiveDeltas, h.positive_deltas, out);
  }
  if (h.reset_hint != NativeHistogram::ResetHint::kUnknown) {
    AppendVarintField(kResetHint, static_cast<uint64_t>(h.reset_hint), out);
  }
  AppendDoubles(kCustomValues, h.custom_values, out);
}

}  // namespace tributary
