// Gzip (RFC 1952) of a whole text over ISA-L, for request bodies. Pure function; fast rather than
// thorough.
#pragma once

#include <string>
#include <string_view>

namespace tributary {

// Of at most 1 GiB.
std::string Gzip(std::string_view text);

}  // namespace tributary
