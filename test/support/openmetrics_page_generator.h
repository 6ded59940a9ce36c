// Random OpenMetrics pages: metadata, families with _created lines, exemplars, odd timestamps; most
// lines good, some broken in places that matter (quotes, escapes, braces, blanks, NUL bytes, UTF-8,
// numbers, the end).
#pragma once

#include <random>
#include <string>

namespace tributary {

std::string RandomOpenMetricsPage(std::mt19937_64& random);

}  // namespace tributary
