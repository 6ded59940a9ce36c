// Turns the classic histograms of a line format's page into native ones with custom buckets, for
// targets of which that is wanted (convert_classic_histograms_to_nhcb). Follows
// prometheus/prometheus model/textparse/nhcbparse.go (3.16); common/histogram/nhcb_builder.h tells
// its rules.
//
// One thread; a collator is used for one page. It parses the labels of all that may be part of a
// histogram: pages cost more with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/layout/page_intake.h"
#include "common/exposition/exemplar.h"
#include "common/exposition/parsed_line.h"
#include "common/histogram/nhcb_builder.h"
#include "common/labels/labels.h"

namespace tributary {

class ClassicCollator {
 public:
  // `intake` must outlive it.
  ClassicCollator(PageIntake& intake, bool keep_classic)
      : intake_(intake), keep_classic_(keep_classic) {}

  // Whether it has to be shown the next series: else that is no part of a histogram, and ends none.
  bool wants_series() const { return collecting_ || histogram_; }
  // A TYPE line, before what else is done with it.
  void TakeType(std::string_view family, MetricType type);
  // Any other line that is no series, and the end of the page.
  void TakeOther() { Emit(); }
  // What becomes of a series: it goes on as one of the page, as it is or without its exemplar, or
  // it was swallowed.
  enum class Outcome : uint8_t { kNoPart, kKeptPart, kSwallowed };
  // The next series, as exposed.
  Outcome TakeSeries(const Labels& labels, const std::vector<std::string>& emptied,
                     const ValueAndTimestamp& sample, std::string_view exemplar);
  // Whether the last series was the first part of a histogram, whose start is to be set. That may
  // come when others of its family were begun since: each has a number, no place among them.
  bool begun() const { return begun_; }
  uint32_t number() const { return number_; }
  void SetStart(uint32_t number, TimestampMs start);

 private:
  enum class Part : uint8_t { kNone, kBucket, kCount, kSum };
  // One without a start, and where it was staged.
  struct Emitted {
    uint32_t number;
    size_t staged;
  };

  // The part of a histogram's name that is its family's; what comes behind it.
  static std::string_view BaseName(std::string_view name, Part& part);
  void Emit();

  PageIntake& intake_;
  const bool keep_classic_;
  bool histogram_ = false;  // the last TYPE line
  std::string family_;      // and its name
  bool collecting_ = false;
  bool begun_ = false;  // with the last series
  uint32_t number_ = KnownLines::kPlaceMax;
  Labels labels_;  // of the histogram collected, __name__ included
  std::vector<std::string> emptied_;
  std::vector<Emitted> emitted_;  // of the family, if starts are kept; by number
  NhcbBuilder builder_;
  std::vector<ParsedExemplar> exemplars_;
  std::optional<TimestampMs> timestamp_;  // of the series taken last
  TimestampMs start_ = 0;
};

}  // namespace tributary
