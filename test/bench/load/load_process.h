// A program that is measured: how it is started, and what it takes.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "test/support/process.h"

namespace tributary {

TimestampMs NowMs();

// A port that was free a moment ago.
int FreePort();

// A command of words, with texts in it replaced.
ProcessOptions CommandOf(std::string command,
                         const std::vector<std::pair<std::string, std::string>>& replaced);

// CPU seconds and bytes of memory of a process (proc(5)).
struct Usage {
  double cpu_s = 0;
  uint64_t resident = 0, anonymous = 0;
};
Usage UsageOf(pid_t pid);

template <typename T>
T Quantile(std::vector<T> values, double part) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

}  // namespace tributary
