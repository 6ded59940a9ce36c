// One io.prometheus.client.Metric, decoded from its wire bytes.
// Follows prometheus/prometheus
// prompb/io/prometheus/client/{metrics.proto,decoder.go,metrics.pb.go} (3.16): what that decoder
// accepts and refuses, this does, its oddities included:
//   - a field that comes again overwrites (numbers) or is merged (messages, lists);
//   - a known field of another wire type is an error, an unknown field is skipped, groups by their
//     depth alone; a packed list whose last element runs over its end is read on;
//   - an untyped value that is not on the wire is that of the metric before, of whatever family:
//     the reference forgets to reset it, so `untyped_value` survives Clear.
//
// A metric is decoded into the same object over and over: in steady state nothing is allocated.
// Views point into the bytes decoded and live as long as these. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/base/time.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

// google.protobuf.Timestamp, not checked.
struct ProtobufTimestamp {
  int64_t seconds = 0;
  int32_t nanos = 0;
  TimestampMs Milliseconds() const;  // wraps where int64_t does
};

struct ProtobufLabel {
  std::string_view name, value;
  bool operator==(const ProtobufLabel&) const = default;
};

struct ProtobufExemplar {
  uint32_t labels_begin = 0, labels_count = 0;  // in ProtobufMetric::exemplar_labels
  double value = 0;
  std::optional<ProtobufTimestamp> timestamp;
};

struct ProtobufMetric {
  static constexpr uint32_t kNoExemplar = 0xffffffff;

  struct Quantile {
    double quantile = 0, value = 0;
  };
  struct Bucket {
    uint64_t cumulative_count = 0;
    double cumulative_count_float = 0;
    double upper_bound = 0;
    uint32_t exemplar = kNoExemplar;  // index in `exemplars`
    // The float unless that is 0.
    double Count() const;
  };
  struct Counter {
    double value = 0;
    uint32_t exemplar = kNoExemplar;
    std::optional<ProtobufTimestamp> start;
  };
  struct Summary {
    uint64_t count = 0;
    double sum = 0;
    std::vector<Quantile> quantiles;
    std::optional<ProtobufTimestamp> start;
  };
  struct Histogram {
    uint64_t count = 0;
    double count_float = 0;
    double sum = 0;
    std::vector<Bucket> buckets;
    std::vector<uint32_t> exemplars;  // the native histogram's; indices in `exemplars`
    std::optional<ProtobufTimestamp> start;
    // Schema, zero bucket, spans and buckets as on the wire: integer and float side by side, not
    // checked. ProtobufSeriesReader completes it.
    NativeHistogram native;

    double Count() const;
    // Whether the reference takes it for a native histogram: it has a span, or a zero bucket that
    // is wide or (in integers) not empty.
    bool IsNative() const;
    // Whether that is one of floats: any float count above 0, or any float bucket.
    bool IsFloat() const;
  };

  // The label pairs: fields number 1 of the message, one after the other, tags and lengths
  // included. A view into the bytes decoded, or into label_scratch if they were scattered. Equal
  // bytes mean equal labels; the pairs themselves are neither decoded nor checked.
  std::string_view label_bytes;
  TimestampMs timestamp = 0;  // 0: none; the reference does not tell the two apart
  // All of these, whatever the family's type: an error in any is an error of the page.
  double gauge_value = 0;
  double untyped_value = 0;
  Counter counter;
  Summary summary;
  Histogram histogram;
  std::vector<ProtobufExemplar> exemplars;
  std::vector<ProtobufLabel> exemplar_labels;
  std::string label_scratch;

  // As new, but for untyped_value (see above); keeps memory.
  void Clear();
  std::span<const ProtobufLabel> LabelsOf(const ProtobufExemplar& exemplar) const {
    return std::span(exemplar_labels).subspan(exemplar.labels_begin, exemplar.labels_count);
  }
};

// Clears `out` and decodes into it. After an error `out` is of no use but for Clear.
Status DecodeProtobufMetric(std::string_view bytes, ProtobufMetric& out);

// Label pairs as every encoder writes them: a name and a value in each, nothing else, in the
// shortest form. Bytes that differ say the same if this is the same. `label_bytes` itself if it has
// that form, or cannot be decoded; else made in `scratch`.
std::string_view CanonicalLabelBytes(std::string_view label_bytes, std::string& scratch);

// Decodes label pairs (ProtobufMetric::label_bytes) and appends them to `out` as they stand there,
// duplicates and empty values included, with the reference's checks: a name that is there must not
// be empty; names and values must be UTF-8. A pair without a name has the name "".
Status DecodeProtobufLabels(std::string_view label_bytes, std::vector<ProtobufLabel>& out);

}  // namespace tributary
