// The series of a protobuf metric, in the order and with the names that Prometheus gives them.
// Follows prometheus/prometheus model/textparse/protobufparse.go (3.16). What each metric yields:
//
//   counter, gauge, untyped   the family's name as it is: no "_total" is added or taken away
//   summary                   _count, _sum, then one with `quantile` for each quantile
//   histogram, gauge histogram (the names are the same)
//     classic                 _count, _sum, _bucket with `le` up to the first bucket of +Inf; if no
//                             bucket is +Inf, one more with the histogram's count
//     native                  the family's name, with a histogram; after it the classic ones, if
//                             keep_classic and it has buckets
//   A histogram is classic if ignore_native, or if nothing of a native one is there
//   (ProtobufMetric::Histogram::IsNative). With convert_classic a classic one also yields the
//   family's name with a native histogram of custom buckets, last; and its classic series only if
//   keep_classic.
//
// Counts of floats go before those of integers unless they are 0. Every series of a metric has its
// timestamp and start time.
//
// Oddities of the reference that are followed: exemplars of native histograms, see NextExemplar;
// the spans of a native histogram are checked here only if the metric before it in the family was
// not itself handed out last as a histogram: ValidateHistogram is to be called on all of them,
// after relabeling, as Prometheus' storage does (common/histogram/limits.h tells the whole order).
//
// In steady state nothing is allocated for a series: a caller knows a series by its Hash and
// decodes labels (CheckLabels, MakeLabels) only when it is new. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/exposition/protobuf_metric.h"
#include "common/exposition/protobuf_page.h"
#include "common/histogram/native_histogram.h"
#include "common/histogram/nhcb_builder.h"
#include "common/labels/labels.h"

namespace tributary {

struct ProtobufHistogramRules {
  bool ignore_native = false;    // not scrape_native_histograms
  bool keep_classic = false;     // always_scrape_classic_histograms
  bool convert_classic = false;  // convert_classic_histograms_to_nhcb
};

enum class ProtobufSuffix : uint8_t { kNone, kCount, kSum, kBucket };
enum class ProtobufExtraLabel : uint8_t { kNone, kLe, kQuantile };

// What tells a series from the others of its metric, and its value.
struct ProtobufSample {
  ProtobufSuffix suffix = ProtobufSuffix::kNone;
  ProtobufExtraLabel extra = ProtobufExtraLabel::kNone;
  double extra_value = 0;  // the bound or quantile; its text: FormatOpenMetricsFloat
  double value = 0;        // of a float
  // Null: a float. Compacted and with its reset hint, but not validated. Lives in the reader or the
  // metric until the next call of Next or BeginMetric; the caller may change it (LimitHistogram).
  NativeHistogram* histogram = nullptr;
};

struct ProtobufExemplarView {
  std::span<const ProtobufLabel> labels;  // as on the page: neither sorted nor checked
  double value = 0;
  std::optional<TimestampMs> timestamp;  // none: the sample's own is to be taken
};

class ProtobufSeriesReader {
 public:
  explicit ProtobufSeriesReader(const ProtobufHistogramRules& rules) : rules_(rules) {}

  enum class Step : uint8_t {
    kSample,  // sample()
    kEnd,     // the metric has no more
    kError,   // error(): the page is to be refused. Samples before it count as scraped
  };

  // At ProtobufPageReader's kFamily and kMetric. Of `family` name and type are kept; its name must
  // live as long as its metrics are read.
  void BeginFamily(const ProtobufFamily& family);
  void BeginMetric(ProtobufMetric& metric);
  Step Next();

  const ProtobufSample& sample() const { return sample_; }
  // Of the metric: its own time, and when its counts began; 0 on the wire is none.
  std::optional<TimestampMs> timestamp() const;
  std::optional<TimestampMs> start_timestamp() const;
  const std::string& error() const { return error_; }

  // The sample's next exemplar; false when there are no more. To be called until then for each
  // sample that is taken, and not for one that is dropped by relabeling: a float has at most one,
  // with or without a timestamp; a histogram any number, all with timestamps: those of its own
  // list, or if that is empty those of its classic buckets. Between histograms of a family that
  // follow each other directly the reference does not begin anew, so of the second it skips as many
  // as it had read of the first.
  bool NextExemplar(ProtobufExemplarView& out);

  // The series' identity on this page: name, suffix, label pairs and extra label. Equal hashes mean
  // equal labels before relabeling; unequal ones mostly, but not surely, unequal labels (pairs in
  // another order, a family named like another's suffixed series): then two hashes have one place,
  // where Prometheus has one series. A reader is always given the same key.
  uint64_t Hash(const HashKey& key);
  // After Hash, for a series that is not known by it: whether its labels are encoded as no encoder
  // does (CanonicalLabelBytes); then Hash is from now on that of the metric as all encode it.
  bool HashCanonical(const HashKey& key);

  // For a series not seen before. First the reference's checks on the label pairs: an error is one
  // of the page, and the sample at hand does not count as scraped.
  Status CheckLabels();
  // Then its labels, __name__ included, as ParseSeries (text_parser.h) makes them: of a name with
  // an empty value nothing is kept, and `emptied` gets it. An error: the same name twice, for which
  // Prometheus fails the scrape when it appends (the sample counts as scraped).
  Result<Labels> MakeLabels(std::vector<std::string>* emptied = nullptr);

 private:
  enum class Stage : uint8_t { kStart, kSummary, kClassic, kConvert, kEnd };

  Step StartMetric();
  Step Emit(double value);
  Step EmitSummaryField();
  Step EmitNative();
  Step EmitClassicField();
  Step EmitConverted();
  Step EmitHistogram(NativeHistogram& histogram);
  Step Fail(const std::string& problem);
  bool NextHistogramExemplar(ProtobufExemplarView& out);
  bool ShowExemplar(uint32_t index, ProtobufExemplarView& out) const;

  ProtobufHistogramRules rules_;
  ProtobufFamily family_;
  ProtobufMetric* metric_ = nullptr;
  ProtobufSample sample_;
  Stage stage_ = Stage::kEnd;
  size_t field_ = 0;     // the next of a summary or classic histogram: count, sum, then the rest
  bool native_ = false;  // the metric at hand is a native histogram
  bool follows_histogram_ = false;  // the metric before ended as a histogram: nothing begins anew
  uint32_t float_exemplar_ = ProtobufMetric::kNoExemplar;
  size_t exemplar_next_ = 0;  // in the list of the native histogram
  size_t bucket_next_ = 0;    // and in its buckets
  bool name_hashed_ = false, hashed_ = false;
  uint64_t name_hash_ = 0, metric_hash_ = 0;
  NhcbBuilder nhcb_;
  NativeHistogram converted_;
  std::vector<ProtobufLabel> labels_;
  std::string canonical_;  // scratch of HashCanonical
  std::string error_;
};

}  // namespace tributary
