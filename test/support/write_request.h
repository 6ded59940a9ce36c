// Decodes requests of remote write 1.0 and 2.0 with libsnappy and libprotobuf: what receivers make
// of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/histogram/native_histogram.h"
#include "common/labels/labels.h"

namespace tributary {

struct DecodedMetadata {
  std::string family;  // "" in 2.0, where the series says it
  int type = 0;
  std::string help;
  std::string unit;
  bool operator==(const DecodedMetadata&) const = default;
};

struct DecodedSample {
  Labels labels;
  double value = 0;
  TimestampMs timestamp = 0;
  // Of 2.0.
  TimestampMs start = 0;
  DecodedMetadata metadata = {};
  std::string name() const { return std::string(labels.Get(kMetricName)); }
};

struct DecodedHistogram {
  Labels labels;
  NativeHistogram histogram;
  TimestampMs timestamp = 0;
  TimestampMs start = 0;
  DecodedMetadata metadata = {};
};

struct DecodedExemplar {
  Labels labels;
  Labels own_labels;
  double value = 0;
  TimestampMs timestamp = 0;
  DecodedMetadata metadata = {};
};

struct DecodedRequest {
  // In the order of the request.
  std::vector<DecodedSample> samples;
  std::vector<DecodedHistogram> histograms;
  std::vector<DecodedExemplar> exemplars;
  std::vector<DecodedMetadata> metadata;  // of 1.0, apart from series
  bool is_v2 = false;
  size_t raw_bytes = 0;  // uncompressed
  // Why it could not be read; "" where it could. Labels out of order or given twice, and empty
  // ones, are errors too; in 2.0 also symbols that are there twice or are not, and series without
  // anything or with samples beside histograms.
  std::string error;

  size_t entries() const { return samples.size() + histograms.size() + exemplars.size(); }
};

// What the header Content-Type says decides on the version; "" is 1.0.
DecodedRequest DecodeWriteRequest(std::string_view body, std::string_view content_type = "");

}  // namespace tributary
