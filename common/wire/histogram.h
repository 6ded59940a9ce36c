// A native histogram as protobuf bytes, and back.
// Source: prompb/types.proto and prompb/io/prometheus/write/v2/types.proto of prometheus 3.16;
// codec.go beside them says which fields are set. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

// Appends all fields of prompb.Histogram but the timestamp and the start timestamp: 1 to 14 and 16.
// In io.prometheus.write.v2.Histogram they have the same numbers and types, so the bytes serve both
// protocols.
void EncodeHistogram(const NativeHistogram& histogram, std::string& out);

struct HistogramTimes {
  TimestampMs timestamp = 0;
  TimestampMs start = 0;  // 0: unknown; of 2.0
};

// The other way, times included where `times` is given; other fields are passed over. False: it is
// no such message. What the numbers say is not checked.
bool DecodeHistogram(std::string_view encoded, NativeHistogram& histogram,
                     HistogramTimes* times = nullptr);

}  // namespace tributary
