#include "agent/memory/memory_limit.h"
#include "test/support/catch.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {
namespace {

uint64_t LimitOf(MemoryFiles files) { return CgroupMemoryLimit(files); }

TEST_CASE("memory limit: the least of the group and of those above it, in cgroup v2") {
  CHECK(LimitOf({{"/proc/self/cgroup", "0::/a/b\n"},
                 {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                 {"/sys/fs/cgroup/a/memory.max", "67108864\n"}}) == 67108864);
  CHECK(LimitOf({{"/proc/self/cgroup", "0::/a/b\n"},
                 {"/sys/fs/cgroup/a/b/memory.max", "1000\n"},
                 {"/sys/fs/cgroup/a/memory.max", "67108864\n"}}) == 1000);
  // In a container with a namespace of its own.
  CHECK(LimitOf({{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/memory.max", "5000\n"}}) ==
        5000);
}

TEST_CASE("memory limit: in cgroup v1 that of the memory controller") {
  const char* groups = "5:cpu,cpuacct:/x\n4:memory:/docker/1\n1:name=systemd:/y\n0::/z\n";
  constexpr char kName[] = "/memory.limit_in_bytes";
  const std::string root = "/sys/fs/cgroup/memory";
  CHECK(LimitOf({{"/proc/self/cgroup", groups},
                 {root + "/docker/1" + kName, "4096\n"},
                 {root + kName, "9223372036854771712\n"}}) == 4096);
  // The group is not to be seen from within the container.
  CHECK(LimitOf({{"/proc/self/cgroup", groups}, {root + kName, "8192\n"}}) == 8192);
  CHECK(LimitOf({{"/proc/self/cgroup", groups}, {root + kName, "9223372036854771712\n"}}) == 0);
}

TEST_CASE("memory limit: none where nothing says one") {
  CHECK(LimitOf({}) == 0);
  CHECK(LimitOf({{"/proc/self/cgroup", ""}}) == 0);
  CHECK(LimitOf({{"/proc/self/cgroup", "nonsense\n:\n0:\n"}}) == 0);
  CHECK(LimitOf({{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "max\n"}}) == 0);
  CHECK(LimitOf({{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", ""}}) == 0);
}

TEST_CASE("memory limit: what this process uses can be read") {
  CHECK(ResidentAnonymousBytes() > 100'000);
  CHECK(ResidentAnonymousBytes() < uint64_t{1} << 40);
}

}  // namespace
}  // namespace tributary
