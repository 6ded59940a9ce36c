// Requests of remote write 2.0, the general path: labels -> symbols -> protobuf -> snappy block.
// Source: Prometheus Remote-Write 2.0 specification; prompb/io/prometheus/write/v2/types.proto.
//
// Plain and easy to prove right, like that of 1.0 (remote_write.h). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/base/hash.h"
#include "common/base/time.h"
#include "common/wire/remote_write.h"

namespace tributary {

// The strings of a request, each once; "" is number 0.
class SymbolTable {
 public:
  SymbolTable();
  // The number of `text`, which is copied if it is new.
  uint32_t Number(std::string_view text);
  // Request.symbols, encoded.
  const std::string& encoded() const { return encoded_; }
  void Clear();

 private:
  struct Hash {
    using is_avalanching = void;
    HashKey key;
    size_t operator()(std::string_view text) const { return key(text); }
  };

  // What the map's keys point into.
  std::pmr::monotonic_buffer_resource texts_;
  boost::unordered_flat_map<std::string_view, uint32_t, Hash> numbers_;
  std::string encoded_;
};

// A series of a request: its labels by EncodeLabels (remote_write.h), and what is known of its
// metric family.
struct SeriesV2 {
  std::string_view encoded_labels;
  MetricType type = MetricType::kUnknown;
  std::string_view help = {};
  std::string_view unit = {};
};

// Builds an io.prometheus.write.v2.Request and compresses it. Each sample, histogram and exemplar
// is a TimeSeries of its own, as Prometheus sends them. Start times of 0 are unknown.
class WriteRequestV2Builder {
 public:
  void AddSample(const SeriesV2& series, double value, TimestampMs timestamp, TimestampMs start);
  // `encoded` by EncodeHistogram (histogram.h).
  void AddHistogram(const SeriesV2& series, std::string_view encoded, TimestampMs timestamp,
                    TimestampMs start);
  // `exemplar_labels` by EncodeLabels.
  void AddExemplar(const SeriesV2& series, std::string_view exemplar_labels, double value,
                   TimestampMs timestamp);
  size_t raw_bytes() const { return symbols_.encoded().size() + series_.size(); }
  bool empty() const { return series_.empty(); }
  // The snappy-compressed request; the builder is empty afterwards.
  std::string Finish();

 private:
  // Appends a TimeSeries with `message_` in its field `field`.
  void Append(const SeriesV2& series, uint32_t field);
  void AppendLabels(uint32_t field, std::string_view encoded_labels, std::string& out);

  SymbolTable symbols_;
  std::string series_;  // Request.timeseries, encoded
  // Scratch.
  std::string message_, time_series_, refs_, metadata_;
};

}  // namespace tributary
