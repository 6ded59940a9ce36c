// Requests of remote write 1.0, the general path: labels -> protobuf -> snappy block.
// Source: Prometheus Remote-Write 1.0 specification; prompb/remote.proto, prompb/types.proto.
//
// Plain and easy to prove right. It is the oracle of every faster encoder. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/labels/labels.h"

namespace tributary {

enum class MetricType : uint8_t {  // values of prompb.MetricMetadata.MetricType
  kUnknown = 0,
  kCounter = 1,
  kGauge = 2,
  kHistogram = 3,
  kGaugeHistogram = 4,
  kSummary = 5,
  kInfo = 6,
  kStateset = 7,
};

// TimeSeries.labels of one series as protobuf bytes: made once, used in every request. Those of an
// exemplar are the same.
std::string EncodeLabels(const Labels& labels);
// Takes the next label off the front of what EncodeLabels wrote; views into it. False: none is
// left.
bool TakeEncodedLabel(std::string_view& encoded, std::string_view& name, std::string_view& value);

// Builds a WriteRequest and compresses it. Each sample, histogram and exemplar is a TimeSeries of
// its own, as Prometheus sends them.
class WriteRequestBuilder {
 public:
  void AddSample(std::string_view encoded_labels, double value, TimestampMs timestamp);
  // `encoded` by EncodeHistogram (common/wire/histogram.h).
  void AddHistogram(std::string_view encoded_labels, std::string_view encoded,
                    TimestampMs timestamp);
  // `exemplar_labels` by EncodeLabels.
  void AddExemplar(std::string_view encoded_labels, std::string_view exemplar_labels, double value,
                   TimestampMs timestamp);
  void AddMetadata(std::string_view family, MetricType type, std::string_view help,
                   std::string_view unit);
  size_t raw_bytes() const { return raw_.size(); }
  bool empty() const { return raw_.empty(); }
  // The snappy-compressed request; the builder is empty afterwards.
  std::string Finish();

 private:
  std::string raw_;
};

}  // namespace tributary
