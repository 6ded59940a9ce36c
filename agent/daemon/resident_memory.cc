#include "agent/daemon/resident_memory.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tributary {

namespace {

constexpr int kMappedBytesMin = 1 << 20;
constexpr int kFreeBytesMax = 512 << 10;

bool IsRelocatedText(const dl_phdr_info& object) {
  const auto* const end = object.dlpi_phdr + object.dlpi_phnum;
  const auto* const found = std::find_if(
      object.dlpi_phdr, end, [](const ElfW(Phdr) & header) { return header.p_type == PT_DYNAMIC; });
  if (found == end) return false;
  const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + found->p_vaddr);
  for (; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_TEXTREL) return true;
    if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
  }
  return false;
}

// Segments that nobody can write to are as they are in their files. (What is made read-only after
// it was relocated is part of a segment that can be written to.)
int ReleaseObject(dl_phdr_info* object, size_t, void*) {
  if (IsRelocatedText(*object)) return 0;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_filesz;
    // Fails for the kernel's own (vdso): no matter.
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void LimitFreeMemory() {
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
  mallopt(M_TRIM_THRESHOLD, kFreeBytesMax);
}

void ReleaseUnusedMemory() {
  malloc_trim(0);
  dl_iterate_phdr(&ReleaseObject, nullptr);
}

}  // namespace tributary
