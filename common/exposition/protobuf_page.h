// Prometheus' protobuf exposition format, application/vnd.google.protobuf;
// proto=io.prometheus.client.MetricFamily; encoding=delimited: MetricFamily messages, each after
// its length as a varint. Read as the bytes arrive; a page, or a family, is never held whole.
// Follows prometheus/prometheus prompb/io/prometheus/client/decoder.go and the checks of families
// of model/textparse/protobufparse.go (3.16). The series of a metric: protobuf_series.h.
//
//   ProtobufPageReader reader;
//   for each piece of the body:
//     reader.Push(piece);
//     for (auto event = reader.Next(); event != Event::kNeedsBytes; event = reader.Next()) ...
//   reader.Push({}), or nothing; Status end = reader.Finish();
//
// Events of a page: for each family with at least one metric kFamily, kMetric once or more,
// kFamilyEnd. Families without a metric are skipped unchecked.
//
// A metric is handed out when its bytes are complete and the family's name and type are known. If
// they stand behind the metrics, or the type is not written (as producers in proto3 do with
// counters, whose type is 0), the family's metrics are held back until the family's end. Two things
// are refused that the reference takes (no producer writes either): a name or type that comes
// again, after a metric was handed out, with another value; and what exceeds these bounds:
//   - one field of a family (a metric, its help ...) of more than kFieldBytesMax;
//   - metrics held back of more than kHeldBytesMax.
// Memory is taken for bytes that have arrived, never for a length that is promised. A decoded
// metric may take twenty times its bytes.
//
// In steady state nothing is allocated for a metric. Not thread-safe; Reset for another page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/exposition/protobuf_metric.h"

namespace tributary {

enum class ProtobufType : uint8_t {
  kCounter = 0,
  kGauge = 1,
  kSummary = 2,
  kUntyped = 3,
  kHistogram = 4,
  kGaugeHistogram = 5,
};

// The name lives until the call after kFamilyEnd, the other views until the next call.
struct ProtobufFamily {
  std::string_view name;  // not empty, UTF-8
  ProtobufType type = ProtobufType::kCounter;
  // At kFamily what has arrived of them, unchecked; at kFamilyEnd what counts: help is UTF-8, the
  // unit (which stands behind the metrics) is not checked; empty: none.
  std::string_view help, unit;
};

class ProtobufPageReader {
 public:
  static constexpr size_t kFieldBytesMax = size_t{4} << 20;
  static constexpr size_t kHeldBytesMax = size_t{64} << 20;

  enum class Event : uint8_t {
    kNeedsBytes,  // all that was pushed is read
    kFamily,      // a family begins: family()
    kMetric,      // its next metric: metric()
    kFamilyEnd,   // it ended well; family() is complete
    kError,       // error(); the page is at its end, and Next returns this again
  };

  // The next bytes of the page; they must live until Next has returned kNeedsBytes. Only then
  // another Push.
  void Push(std::string_view bytes);
  Event Next();
  // After the last piece: an error if the page ended in the midst of something, or had one.
  Status Finish();
  // As new, with its memory kept.
  void Reset();

  const ProtobufFamily& family() const { return family_; }
  // Until the next call of Next or Push. ProtobufSeriesReader may change it.
  ProtobufMetric& metric() { return metric_; }
  const std::string& error() const { return error_; }
  // After an error: whether metrics were handed out of which the reference, which looks at a family
  // whole before its first metric, had handed out none. What was counted since kFamily (samples
  // scraped and so on) is then to be forgotten; the scrape fails either way. (To have this exact
  // too for a family that is broken behind a metric which the caller itself refuses, the caller
  // goes on to kFamilyEnd or kError without looking at its metrics.)
  bool family_never_began() const { return never_began_; }

 private:
  enum class State : uint8_t { kLength, kField, kPending, kHeld, kFailed };
  enum class Parsed : uint8_t { kDone, kNeedsBytes, kFailed };
  // What is known of a field before its payload.
  struct Header {
    int32_t number = 0;
    bool skipped = false;  // of no interest
    size_t bytes = 0;      // of the header itself
    uint64_t size = 0;     // of the payload
  };

  // These return nothing if there is nothing to tell yet.
  std::optional<Event> ReadLength();
  std::optional<Event> ReadField();
  std::optional<Event> ReadHeld();
  std::optional<Event> EndFamily();
  std::optional<Event> TakeField(int32_t number, std::string_view payload);
  std::optional<Event> TakeName(std::string_view name);
  std::optional<Event> TakeType(int32_t type);
  std::optional<Event> TakeMetric(std::string_view bytes);
  std::optional<Event> StartHeld();
  Event StartFamily(State next);
  std::optional<Event> HandOut(std::string_view bytes);
  Event FailWith(std::string message, bool never_began);
  void BeginFamily(uint64_t bytes);
  Parsed ParseHeader(std::string_view bytes, Header& header);
  Parsed FailParsing(const char* problem);
  std::optional<std::string_view> Gather(uint64_t bytes);
  void ForgetCarry();
  void ForgetHeld();

  State state_ = State::kLength;
  std::string_view input_;   // of the last piece, what is not read yet
  std::string carry_;        // the beginning of a field whose end has not arrived
  bool carry_done_ = false;  // it has, and what points into carry_ was handed out
  uint64_t length_ = 0;      // of the next family, as far as it was read
  unsigned length_bytes_ = 0;
  uint64_t family_left_ = 0;  // bytes of the family, from the field that is being read on
  uint64_t skip_left_ = 0;    // of these, bytes of no interest that come first
  uint64_t group_depth_ = 0;  // of unknown groups

  ProtobufFamily family_;
  std::string name_, help_, unit_;
  int32_t type_ = 0;
  bool name_known_ = false, type_known_ = false;
  bool started_ = false;  // kFamily was returned
  bool doomed_ = false;  // a metric was malformed; the rest of the family is looked at all the same
  bool never_began_ = false;

  std::string_view pending_;  // the metric that comes after kFamily
  std::string held_;          // metrics held back, each behind its size as a varint
  size_t held_read_ = 0;      // bytes of these that were handed out

  ProtobufMetric metric_;
  size_t metric_bytes_max_ = 0;  // the largest that was decoded into it
  std::string error_;
};

}  // namespace tributary
