// Requests of remote write as they come in, decompressed: 1.0 (prometheus.WriteRequest) and 2.0
// (io.prometheus.write.v2.Request). Source: prompb/remote.proto, prompb/types.proto and
// prompb/io/prometheus/write/v2/types.proto of prometheus 3.16; what the code that gogo generates
// for them takes, this takes.
//
//   WriteRequestReader reader;
//   if (reader.Open(version, bytes, limit) == Opened::kGood) {
//     for (size_t i = 0; i < reader.series(); i++) if (reader.ReadSeries(i, series)) ...
//   }
//
// Everything is views into the bytes, which must outlive the reader. Memory: 8 bytes for each
// series and 16 for each symbol; of these, and of samples of a series, there are no more than the
// limit. In steady state nothing is allocated. Immutable once open: any number of threads may read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/wire/histogram.h"
#include "common/wire/remote_write.h"

namespace tributary {

enum class WriteVersion : uint8_t { kV1, kV2 };

struct WriteSample {
  double value = 0;
  TimestampMs timestamp = 0;
  TimestampMs start = 0;  // when its count began; 0: unknown
};

// One TimeSeries, to be read into again and again.
struct WriteSeries {
  // Of 1.0: the fields `labels`, one after the other, tags and lengths included; they have the form
  // of DecodeProtobufLabels (common/exposition/protobuf_metric.h). A view into the request, or into
  // `scratch` if they were scattered.
  std::string_view label_bytes;
  // Of 2.0: numbers of symbols, of names and values in turn; not checked.
  std::vector<uint32_t> label_refs;
  std::vector<WriteSample> samples;
  std::vector<std::string_view> histograms, exemplars;  // for the functions below
  // Of 2.0; numbers of symbols, not checked.
  MetricType type = MetricType::kUnknown;
  uint32_t help_ref = 0, unit_ref = 0;
  TimestampMs start = 0;  // of samples that have none themselves
  std::string scratch;

  void Clear();
};

struct WriteHistogram {
  NativeHistogram histogram;  // not checked
  HistogramTimes times;
};

struct WriteExemplar {
  std::string_view label_bytes;      // of 1.0, as in WriteSeries
  std::vector<uint32_t> label_refs;  // of 2.0
  double value = 0;
  TimestampMs timestamp = 0;
  std::string scratch;
};

// Metadata of a family in 1.0.
struct WriteMetadata {
  std::string_view family, help, unit;
  MetricType type = MetricType::kUnknown;
};

class WriteRequestReader {
 public:
  enum class Opened : uint8_t { kGood, kMalformed, kTooMuch };
  // What one request may have without a limit of its own: so that nobody's lengths make us
  // allocate.
  static constexpr size_t kHistogramBytesMax = size_t{1} << 20;

  // `limit`: of series, of symbols and of metadata; and, for ReadSeries, of the samples of one
  // series. `bytes` are less than 4 GiB.
  Opened Open(WriteVersion version, std::string_view bytes, size_t limit);
  // After kMalformed.
  const char* problem() const { return problem_; }

  WriteVersion version() const { return version_; }
  size_t series() const { return series_.size(); }
  const std::vector<std::string_view>& symbols() const { return symbols_; }
  // False: it is malformed, or has more of something than the limit.
  bool ReadSeries(size_t index, WriteSeries& out) const;
  // The same for a series of 1.0 that is `label_bytes` of labels and then a sample, and nothing
  // else: whether what stands there are labels is not looked at. False: it is something else.
  bool ReadPlainSeries(size_t index, size_t label_bytes, WriteSeries& out) const;
  // Of histograms and exemplars of a series of this request. False: malformed.
  bool ReadHistogram(std::string_view bytes, WriteHistogram& out) const;
  bool ReadExemplar(std::string_view bytes, WriteExemplar& out) const;
  size_t metadata() const { return metadata_.size(); }
  bool ReadMetadata(size_t index, WriteMetadata& out) const;

 private:
  struct Range {
    uint32_t begin = 0, size = 0;
  };
  std::string_view At(const Range& range) const { return bytes_.substr(range.begin, range.size); }
  Range RangeOf(std::string_view part) const {
    return {static_cast<uint32_t>(part.data() - bytes_.data()), static_cast<uint32_t>(part.size())};
  }

  WriteVersion version_ = WriteVersion::kV1;
  std::string_view bytes_;
  size_t limit_ = 0;
  const char* problem_ = nullptr;
  std::vector<Range> series_, metadata_;
  std::vector<std::string_view> symbols_;
};

}  // namespace tributary
