// What a text or OpenMetrics page gives a scrape, entry by entry, in one form: made of what the
// slow parsers give, and with classic histograms collated as Prometheus' NHCB parser does
// (model/textparse/nhcbparse.go, 3.16).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/exposition/parsed_line.h"
#include "common/histogram/native_histogram.h"
#include "common/labels/labels.h"
#include "test/support/slow_text_parser.h"

namespace tributary {

struct SlowExemplar {
  std::optional<Labels> labels;  // nothing: not to be stored
  double value = 0;
  std::optional<TimestampMs> timestamp;
};

struct SlowPageEntry {
  LineKind kind = LineKind::kSample;
  std::string family, text;  // of metadata
  // Of samples, histograms too.
  std::string series;                // by which Prometheus' cache knows it
  std::optional<TextLabels> labels;  // nothing when a name is there twice
  std::vector<std::string> emptied;  // labels given with an empty value
  double value = 0;
  std::optional<NativeHistogram> histogram;
  std::optional<TimestampMs> timestamp;
  std::vector<SlowExemplar> exemplars;
  TimestampMs start = 0;  // 0: none
};

struct SlowPageEntries {
  bool good = true;
  std::vector<SlowPageEntry> entries;  // to the end or the first error
};

SlowPageEntries SlowTextEntries(std::string_view page);
// `starts`: _created lines are no series, but say when counts began.
SlowPageEntries SlowOpenMetricsEntries(std::string_view page, bool starts);

// With each classic histogram's native one behind its series, which are there only if kept.
SlowPageEntries SlowCollate(const SlowPageEntries& page, bool keep_classic);

}  // namespace tributary
