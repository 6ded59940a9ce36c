// How much memory the process may take, from the control groups that it is in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/file/file_system.h"

namespace tributary {

// The least limit of the process' own group and of those above it, of cgroup v2 (memory.max) or v1
// (memory.limit_in_bytes); 0 if there is none, or none can be seen. In a container the groups above
// its own cannot.
uint64_t CgroupMemoryLimit(FileSystem& files);

// Anonymous memory of this process that is in RAM, from /proc/self/statm: what it has to itself,
// and what the system cannot take back. 0 if it cannot be read.
uint64_t ResidentAnonymousBytes();

}  // namespace tributary
