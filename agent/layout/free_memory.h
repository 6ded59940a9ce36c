// Gives back a container's memory. `container = {}` only empties it: that is the assignment of an
// empty list.
#pragma once

namespace tributary {

template <typename Container>
void FreeMemory(Container& container) {
  Container().swap(container);
}

}  // namespace tributary
