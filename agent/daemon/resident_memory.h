// Keeps what of the process' memory is resident close to what it uses. For Linux
// and glibc. Thread-safe.
#pragma once

namespace tributary {

// What is freed goes back to the system, also after a burst of large buffers: glibc would raise its
// limits with each of them. Before threads are started.
void LimitFreeMemory();

// Gives back what only a start needs: of programs and libraries the pages of symbol tables,
// relocations and code that ran once (two thirds of some 15 MiB), and what has been freed since.
// Pages that are needed again are mapped again from the page cache, sixteen at a time. It walks
// over the heap and takes its locks: not for a hot path.
void ReleaseUnusedMemory();

}  // namespace tributary
