// What was built. The version comes from CMake's project(); the revision from git, if it was there.
#pragma once

#include <string_view>

namespace tributary {

std::string_view Version();   // "0.1.0"
std::string_view Revision();  // short git hash or "unknown"

}  // namespace tributary
