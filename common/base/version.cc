#include "common/base/version.h"

namespace tributary {

std::string_view Version() { return TRIBUTARY_VERSION; }
std::string_view Revision() { return TRIBUTARY_REVISION; }

}  // namespace tributary
