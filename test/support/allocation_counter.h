// Counts allocations: a program that links this has every operator new of its own counted, except
// those of over-aligned types. Each thread counts its own.
#pragma once

#include <cstdint>

namespace tributary {

// Of the calling thread, from its beginning.
uint64_t AllocationCount();

}  // namespace tributary
