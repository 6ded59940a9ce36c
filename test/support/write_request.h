// Decodes requests of remote write 1.0 with libsnappy and libprotobuf: what receivers make of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/labels/labels.h"

namespace tributary {

struct DecodedSample {
  Labels labels;
  double value = 0;
  TimestampMs timestamp = 0;
  std::string name() const { return std::string(labels.Get(kMetricName)); }
};

struct DecodedMetadata {
  std::string family;
  int type = 0;
  std::string help;
  std::string unit;
};

struct DecodedRequest {
  std::vector<DecodedSample> samples;  // in the order of the request
  std::vector<DecodedMetadata> metadata;
  size_t raw_bytes = 0;  // uncompressed
  // Why it could not be read; "" where it could. Labels out of order or given twice, and empty
  // ones, are errors too.
  std::string error;
};

DecodedRequest DecodeWriteRequest(std::string_view body);

}  // namespace tributary
