#include "common/file/posix_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tributary {

tl::unexpected<Error> PosixFile::FailNow() const {
  return Fail(path_ + ": " + std::generic_category().message(errno));
}

Result<size_t> PosixFile::ReadAt(uint64_t offset, char* out, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t bytes =
        pread(fd_.get(), out + done, size - done, static_cast<off_t>(offset + done));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return FailNow();
    if (bytes == 0) break;
    done += static_cast<size_t>(bytes);
  }
  return done;
}

Status PosixFile::WriteAt(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = ENOSPC;  // a loop without end otherwise
    if (written <= 0) return FailNow();
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Status PosixFile::Truncate(uint64_t size) {
  int result = 0;
  do {
    result = ftruncate(fd_.get(), static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  return result == 0 ? Status() : FailNow();
}

Status PosixFile::Sync() {
  int result = 0;
  do {
    result = fdatasync(fd_.get());
  } while (result != 0 && errno == EINTR);
  return result == 0 ? Status() : FailNow();
}

Result<uint64_t> PosixFile::Size() {
  struct stat info {};
  if (fstat(fd_.get(), &info) != 0) return FailNow();
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace tributary
