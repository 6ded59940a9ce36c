// Stands in front of the C library's getaddrinfo, for libcurl too: "slow-MS[...].test" is 127.0.0.1
// after so many milliseconds, "gone-MS[...].test" fails after so many. Other names go through.
// Linked into a test program as an object, so that its symbol comes first.
#include <dlfcn.h>
#include <netdb.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "test/support/slow_resolver.h"

namespace tributary {
namespace {
std::atomic<size_t> running{0};
std::atomic<size_t> running_max{0};

void Entered() {
  const size_t now = ++running;
  size_t max = running_max.load();
  while (max < now && !running_max.compare_exchange_weak(max, now)) {
  }
}

}  // namespace

size_t SlowLookupsMax() { return running_max.exchange(0); }
}  // namespace tributary

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool slow = node != nullptr && std::strncmp(node, "slow-", 5) == 0;
  const bool gone = node != nullptr && std::strncmp(node, "gone-", 5) == 0;
  if (!slow && !gone) return real(node, service, hints, result);
  const std::chrono::milliseconds time(std::strtol(node + 5, nullptr, 10));
  const bool counted = time < std::chrono::seconds(1);  // longer ones outlive their tests
  if (counted) tributary::Entered();
  std::this_thread::sleep_for(time);
  if (counted) tributary::running--;
  if (gone) return EAI_NONAME;
  return real("127.0.0.1", service, hints, result);
}
