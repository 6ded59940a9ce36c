#include "agent/remote/written_stats.h"

#include <charconv>
#include <limits>
#include <string_view>

namespace tributary {

namespace {

// Go's strconv.Atoi: a decimal number with or without a sign. 0 for anything else. A number that no
// request has so many samples for is as good as the greatest that cannot overflow a sum.
int64_t Number(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return 0;
  }
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  return std::clamp(number, -kMost, kMost);
}

}  // namespace

WrittenStats& WrittenStats::operator+=(const WrittenStats& later) {
  samples += later.samples;
  histograms += later.histograms;
  exemplars += later.exemplars;
  confirmed = later.confirmed;
  return *this;
}

WrittenStats ParseWrittenStats(const HttpResponseHead& head) {
  WrittenStats stats;
  auto take = [&](std::string_view name, int64_t& number) {
    const std::string_view value = head.Header(name);
    if (value.empty()) return;
    stats.confirmed = true;
    number = Number(value);
  };
  take("X-Prometheus-Remote-Write-Samples-Written", stats.samples);
  take("X-Prometheus-Remote-Write-Histograms-Written", stats.histograms);
  take("X-Prometheus-Remote-Write-Exemplars-Written", stats.exemplars);
  return stats;
}

}  // namespace tributary
