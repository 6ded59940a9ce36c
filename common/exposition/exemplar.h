// Exemplars as a page gives them, whatever its format. Thread-safe (no state).
#pragma once

#include <optional>
#include <vector>

#include "common/base/status.h"
#include "common/base/time.h"
#include "common/labels/labels.h"

namespace tributary {

struct ParsedExemplar {
  Labels labels;
  double value = 0;
  // Of the exemplar's own; Prometheus gives one without it the time of its sample.
  std::optional<TimestampMs> timestamp;
};

// What Prometheus checks when it appends an exemplar (tsdb/agent, validateExemplar), which fails
// the exemplar alone: labels with an empty value are left out; a name may be there once; names and
// values have 128 code points at most, an invalid byte counting as one.
Result<Labels> MakeExemplarLabels(std::vector<Label> labels);

}  // namespace tributary
