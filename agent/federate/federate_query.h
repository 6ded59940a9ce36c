// The selectors of a request for /federate, from the query of its URL.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/selector/series_selector.h"

namespace tributary {

// `query`: what follows the '?', escaped. Each match[] is a selector; other parameters are passed
// over. The error is the text of a 400, as Prometheus has it.
Result<std::vector<SeriesSelector>> ParseMatches(std::string_view query);

}  // namespace tributary
