#include "common/base/assert.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace tributary {

namespace {
std::atomic<uint64_t> bug_count{0};
}

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, expression);
  std::abort();
}

void BugFound(const char* text, const char* file, int line) {
  if (bug_count.fetch_add(1) == 0) std::fprintf(stderr, "%s:%d: BUG: %s\n", file, line, text);
#ifndef NDEBUG
  std::abort();
#endif
}

uint64_t BugCount() { return bug_count.load(); }

}  // namespace tributary
