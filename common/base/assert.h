// Three assertions, none of them for input from outside:
//   CHECK(x)   a broken invariant: stop at once, in every build.
//   DCHECK(x)  the same where the check costs too much for release builds.
//   BUG(text)  survivable: counted and logged once in release, fatal in debug builds and tests.
#pragma once

#include <cstdint>

namespace tributary {

[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
void BugFound(const char* text, const char* file, int line);
// How often BUG was reached since the start of the process. Thread-safe.
uint64_t BugCount();

}  // namespace tributary

#define CHECK(x) \
  (static_cast<bool>(x) ? void(0) : ::tributary::CheckFailed(#x, __FILE__, __LINE__))
#ifdef NDEBUG
#define DCHECK(x) (true ? void(0) : void(x))
#else
#define DCHECK(x) CHECK(x)
#endif
#define BUG(text) ::tributary::BugFound(text, __FILE__, __LINE__)
