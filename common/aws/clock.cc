#include "common/aws/clock.h"

#include <ctime>
#include <string>

namespace tributary {

namespace {

// Signatures are good for five minutes either way.
constexpr milliseconds kSkewMax = std::chrono::minutes(5);

}  // namespace

bool AwsClock::Learn(const HttpResponseHead& head) {
  if (head.status != 403) return false;
  const std::string text(head.Header("Date"));
  struct tm date {};
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return false;
  const milliseconds skew(static_cast<TimestampMs>(timegm(&date)) * 1000 - Now());
  if (std::chrono::abs(skew) <= kSkewMax) return false;
  offset_ += skew;
  corrections_++;
  return true;
}

}  // namespace tributary
