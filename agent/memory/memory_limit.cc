#include "agent/memory/memory_limit.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <vector>

namespace tributary {
namespace {

constexpr size_t kFileBytesMax = 64 << 10;
// What v1 says where there is no limit, and whatever else no machine has.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

// 0: none.
uint64_t ReadLimit(FileSystem& files, const std::string& path) {
  const auto text = files.ReadFile(path, kFileBytesMax);
  uint64_t limit = 0;
  if (!text) return 0;
  const auto end = std::from_chars(text->data(), text->data() + text->size(), limit);
  return end.ec != std::errc() || limit >= kNoLimit ? 0 : limit;  // "max"
}

// Of a group and of all above it.
uint64_t LeastLimit(FileSystem& files, const std::string& root, std::string group,
                    const char* name) {
  uint64_t least = 0;
  while (true) {
    if (group == "/") group.clear();
    const uint64_t limit = ReadLimit(files, root + group + "/" + name);
    if (limit > 0) least = least == 0 ? limit : std::min(least, limit);
    if (group.empty()) return least;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

bool HasController(std::string_view controllers, std::string_view name) {
  while (true) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    controllers.remove_prefix(comma + 1);
  }
}

}  // namespace

uint64_t CgroupMemoryLimit(FileSystem& files) {
  const auto groups = files.ReadFile("/proc/self/cgroup", kFileBytesMax);
  if (!groups) return 0;
  uint64_t least = 0;
  std::string_view rest = *groups;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    // "0::/group" of v2, "5:memory:/group" of v1 (cgroups(7)).
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string group(line.substr(second + 1));
    uint64_t limit = 0;
    if (controllers.empty()) {
      limit = LeastLimit(files, "/sys/fs/cgroup", group, "memory.max");
    } else if (HasController(controllers, "memory")) {
      limit = LeastLimit(files, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    }
    if (limit > 0) least = least == 0 ? limit : std::min(least, limit);
  }
  return least;
}

uint64_t ResidentAnonymousBytes() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[256] = "";
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  unsigned long long total = 0, resident = 0, of_files = 0;
  if (size <= 0 || std::sscanf(text, "%llu %llu %llu", &total, &resident, &of_files) != 3) return 0;
  if (resident < of_files) return 0;
  return (resident - of_files) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace tributary
