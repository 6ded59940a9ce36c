#include "common/histogram/native_histogram.h"

namespace tributary {

void NativeHistogram::Clear() {
  schema = 0;
  zero_threshold = sum = count_float = zero_count_float = 0;
  is_float = false;
  count = zero_count = 0;
  positive_deltas.clear();
  negative_deltas.clear();
  positive_counts.clear();
  negative_counts.clear();
  positive_spans.clear();
  negative_spans.clear();
  custom_values.clear();
  reset_hint = ResetHint::kUnknown;
}

}  // namespace tributary
