#include "tools/agentctl/value_text.h"

#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "common/base/varint.h"

namespace tributary {
namespace {

// A field of a message of the protobuf wire format.
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;      // varints and fixed64
  std::string_view bytes;  // of length-delimited ones
};

bool TakeFixed64(std::string_view& rest, uint64_t& value) {
  if (rest.size() < sizeof(value)) return false;
  value = 0;
  for (size_t i = sizeof(value); i-- > 0;) value = (value << 8) | static_cast<uint8_t>(rest[i]);
  rest.remove_prefix(sizeof(value));
  return true;
}

bool TakeField(std::string_view& rest, Field& field) {
  uint64_t tag = 0;
  if (!TakeVarint(rest, tag)) return false;
  field = {static_cast<uint32_t>(tag >> 3), 0, {}};
  switch (tag & 7) {
    case 0:
      return TakeVarint(rest, field.value);
    case 1:
      return TakeFixed64(rest, field.value);
    case 2:
      if (!TakeVarint(rest, field.value) || field.value > rest.size()) return false;
      field.bytes = rest.substr(0, field.value);
      rest.remove_prefix(field.value);
      return true;
    default:
      return false;
  }
}

int64_t ZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

bool ReadSpan(std::string_view bytes, std::vector<BucketSpan>& spans) {
  BucketSpan span;
  for (Field field; !bytes.empty();) {
    if (!TakeField(bytes, field)) return false;
    if (field.number == 1) span.offset = static_cast<int32_t>(ZigZag(field.value));
    if (field.number == 2) span.length = static_cast<uint32_t>(field.value);
  }
  spans.push_back(span);
  return true;
}

// Repeated numbers, packed or not.
bool ReadDeltas(const Field& field, std::vector<int64_t>& deltas) {
  if (field.bytes.data() == nullptr) {
    deltas.push_back(ZigZag(field.value));
    return true;
  }
  uint64_t value = 0;
  for (std::string_view rest = field.bytes; !rest.empty();) {
    if (!TakeVarint(rest, value)) return false;
    deltas.push_back(ZigZag(value));
  }
  return true;
}

bool ReadDoubles(const Field& field, std::vector<double>& values) {
  if (field.bytes.data() == nullptr) {
    values.push_back(std::bit_cast<double>(field.value));
    return true;
  }
  uint64_t value = 0;
  for (std::string_view rest = field.bytes; !rest.empty();) {
    if (!TakeFixed64(rest, value)) return false;
    values.push_back(std::bit_cast<double>(value));
  }
  return true;
}

bool ReadHistogramField(const Field& field, NativeHistogram& histogram) {
  switch (field.number) {
    case 1:
      histogram.count = field.value;
      return true;
    case 2:
      histogram.is_float = true;
      histogram.count_float = std::bit_cast<double>(field.value);
      return true;
    case 3:
      histogram.sum = std::bit_cast<double>(field.value);
      return true;
    case 4:
      histogram.schema = static_cast<int32_t>(ZigZag(field.value));
      return true;
    case 5:
      histogram.zero_threshold = std::bit_cast<double>(field.value);
      return true;
    case 6:
      histogram.zero_count = field.value;
      return true;
    case 7:
      histogram.is_float = true;
      histogram.zero_count_float = std::bit_cast<double>(field.value);
      return true;
    case 8:
      return ReadSpan(field.bytes, histogram.negative_spans);
    case 9:
      return ReadDeltas(field, histogram.negative_deltas);
    case 10:
      return ReadDoubles(field, histogram.negative_counts);
    case 11:
      return ReadSpan(field.bytes, histogram.positive_spans);
    case 12:
      return ReadDeltas(field, histogram.positive_deltas);
    case 13:
      return ReadDoubles(field, histogram.positive_counts);
    case 14:
      histogram.reset_hint = static_cast<NativeHistogram::ResetHint>(field.value & 3);
      return true;
    case 16:
      return ReadDoubles(field, histogram.custom_values);
    default:
      return true;
  }
}

// The upper bound of the bucket with this index (model/histogram/generic.go getBound).
double Bound(const NativeHistogram& histogram, int64_t index) {
  if (histogram.schema == kCustomBucketsSchema) {
    const std::vector<double>& bounds = histogram.custom_values;
    if (index < 0) return -std::numeric_limits<double>::infinity();
    return static_cast<size_t>(index) < bounds.size() ? bounds[static_cast<size_t>(index)]
                                                      : std::numeric_limits<double>::infinity();
  }
  const double exponent = std::ldexp(static_cast<double>(index), -histogram.schema);
  // The last bucket of numbers ends at the largest one; the one after it has the infinities.
  if (exponent == 1024) return std::numeric_limits<double>::max();
  return std::exp2(exponent);
}

struct Bucket {
  int64_t index = 0;
  double count = 0;
};

// Those that have something.
std::vector<Bucket> Buckets(const std::vector<BucketSpan>& spans,
                            const std::vector<int64_t>& deltas, const std::vector<double>& counts) {
  std::vector<Bucket> buckets;
  int64_t index = 0, count = 0;
  size_t position = 0;
  for (const BucketSpan& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; i++, index++, position++) {
      if (position >= deltas.size() && position >= counts.size()) return buckets;
      if (position < deltas.size()) count += deltas[position];
      const double value = position < counts.size() ? counts[position] : static_cast<double>(count);
      if (value != 0) buckets.push_back({index, value});
    }
  }
  return buckets;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto scaled = static_cast<double>(bytes) / 1024;
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; scaled >= 1024 && unit + 1 < std::size(units); unit++) scaled /= 1024;
  return fmt::format("{:.1f} {}", scaled, units[unit]);
}

std::string FormatValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

Result<NativeHistogram> DecodeHistogram(std::string_view encoded) {
  NativeHistogram histogram;
  for (Field field; !encoded.empty();) {
    if (!TakeField(encoded, field) || !ReadHistogramField(field, histogram)) {
      return Fail("not a native histogram");
    }
  }
  return histogram;
}

std::string HistogramText(const NativeHistogram& histogram) {
  const double count =
      histogram.is_float ? histogram.count_float : static_cast<double>(histogram.count);
  std::string out =
      fmt::format("{{count:{}, sum:{}", FormatValue(count), FormatValue(histogram.sum));
  const std::vector<Bucket> negative =
      Buckets(histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts);
  for (size_t i = negative.size(); i-- > 0;) {
    out += fmt::format(", [{},{}):{}", FormatValue(-Bound(histogram, negative[i].index)),
                       FormatValue(-Bound(histogram, negative[i].index - 1)),
                       FormatValue(negative[i].count));
  }
  const double zero =
      histogram.is_float ? histogram.zero_count_float : static_cast<double>(histogram.zero_count);
  if (zero != 0) {
    out += fmt::format(", [{},{}]:{}", FormatValue(-histogram.zero_threshold),
                       FormatValue(histogram.zero_threshold), FormatValue(zero));
  }
  for (const Bucket& bucket :
       Buckets(histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts)) {
    out += fmt::format(", ({},{}]:{}", FormatValue(Bound(histogram, bucket.index - 1)),
                       FormatValue(Bound(histogram, bucket.index)), FormatValue(bucket.count));
  }
  return out + "}";
}

std::string HistogramText(std::string_view encoded) {
  const Result<NativeHistogram> histogram = DecodeHistogram(encoded);
  return histogram ? HistogramText(*histogram) : "{not a native histogram}";
}

}  // namespace tributary
