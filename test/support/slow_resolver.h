// Names that take their time: see slow_resolver.cc.
#pragma once

#include <cstddef>

namespace tributary {

// The most look-ups of slow or gone names, of less than a second each, that ran at a time since the
// last call.
size_t SlowLookupsMax();

}  // namespace tributary
