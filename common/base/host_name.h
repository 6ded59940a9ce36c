// The name of the host that the process runs on, as the kernel has it: in a container, the
// container's. Any thread.
#pragma once

#include <string>

namespace tributary {

// "localhost" if there is none.
std::string HostName();

}  // namespace tributary
