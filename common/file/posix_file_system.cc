#include "common/file/posix_file_system.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "common/base/assert.h"
#include "common/file/inotify_watch.h"
#include "common/file/posix_file.h"
#include "common/file/unique_fd.h"

namespace tributary {

namespace {

constexpr size_t kReadBytes = 64 << 10;

tl::unexpected<Error> FailWith(const std::string& path, int error) {
  return Fail(path + ": " + std::generic_category().message(error));
}

class HeldLock : public FileLock {
 public:
  explicit HeldLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;  // closing it gives the lock up
};

// What a holder wrote: its pid and a line end. "" for anything else.
std::string PidIn(int fd) {
  char text[32];
  const ssize_t bytes = pread(fd, text, sizeof text, 0);
  if (bytes <= 0) return "";
  const std::string pid(text, std::find(text, text + bytes, '\n'));
  return pid.find_first_not_of("0123456789") == std::string::npos ? pid : "";
}

// 0, or the error.
int SyncNames(const std::string& directory) {
  const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  int result = 0;
  do {
    result = fsync(fd.get());
  } while (result != 0 && errno == EINTR);
  // Some network and FUSE file systems sync files only; there is nothing more to be had from them.
  return result == 0 || errno == EINVAL ? 0 : errno;
}

}  // namespace

Result<std::string> PosixFileSystem::ReadFile(const std::string& path, size_t bytes_max) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return FailWith(path, errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FailWith(path, errno);
  if (S_ISDIR(info.st_mode)) return FailWith(path, EISDIR);
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode)) {
    return Fail(path + ": neither a regular file nor a pipe");
  }
  std::string content;
  size_t size = 0;
  for (;;) {
    // Sizes are only a hint: files grow, and those of /proc say 0.
    const size_t expected =
        std::max<size_t>(static_cast<size_t>(info.st_size) + 1, size + kReadBytes);
    content.resize(bytes_max < SIZE_MAX ? std::min(expected, bytes_max + 1) : expected);
    const ssize_t bytes = read(fd.get(), content.data() + size, content.size() - size);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return FailWith(path, errno);
    if (bytes == 0) break;
    size += static_cast<size_t>(bytes);
    if (size > bytes_max) {
      return Fail(path + ": larger than " + std::to_string(bytes_max) + " bytes");
    }
  }
  content.resize(size);
  return content;
}

Result<std::vector<std::string>> PosixFileSystem::Glob(const std::string& pattern) {
  glob_t matches{};
  const int failed = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches);
  std::vector<std::string> paths;
  if (failed == 0) paths.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  globfree(&matches);
  if (failed != 0 && failed != GLOB_NOMATCH) {
    return Fail(pattern + ": " + (failed == GLOB_NOSPACE ? "out of memory" : "cannot be read"));
  }
  std::sort(paths.begin(), paths.end());  // by bytes, whatever the locale
  return paths;
}

Status PosixFileSystem::CreateDirectories(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> made;
  for (fs::path at = path; !at.empty() && !fs::exists(at, error); at = at.parent_path()) {
    if (at.has_filename()) made.push_back(at);
  }
  fs::create_directories(path, error);
  if (error) return Fail(path + ": " + error.message());
  for (const fs::path& at : made) {
    const std::string parent = at.has_parent_path() ? at.parent_path().string() : ".";
    const int failed = SyncNames(parent);
    // Who may make names in a directory may still not be allowed to read it, nor to sync it then.
    if (failed != 0 && failed != EACCES) return FailWith(parent, failed);
  }
  return {};
}

Result<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path, FileMode mode) {
  int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;  // to open a pipe must not wait for its other end
  switch (mode) {
    case FileMode::kRead:
      flags |= O_RDONLY;
      break;
    case FileMode::kWrite:
      flags |= O_RDWR;
      break;
    case FileMode::kCreate:
      flags |= O_RDWR | O_CREAT | O_EXCL;
      break;
  }
  UniqueFd fd(open(path.c_str(), flags, 0640));
  if (!fd.valid()) return FailWith(path, errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FailWith(path, errno);
  if (S_ISDIR(info.st_mode)) return FailWith(path, EISDIR);
  if (!S_ISREG(info.st_mode)) return Fail(path + ": not a regular file");
  return std::make_unique<PosixFile>(path, std::move(fd));
}

Result<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return Fail(directory + ": " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFileSystem::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return FailWith(path, errno);
  return {};
}

Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return FailWith(from + " to " + to, errno);
  return {};
}

Status PosixFileSystem::SyncDirectory(const std::string& path) {
  if (const int failed = SyncNames(path); failed != 0) return FailWith(path, failed);
  return {};
}

Result<FileSpace> PosixFileSystem::Space(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return FailWith(path, errno);
  return FileSpace{uint64_t{info.f_blocks} * info.f_frsize,
                   uint64_t{info.f_bavail} * info.f_frsize};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return FailWith(path, errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FailWith(path, errno);
    const std::string pid = PidIn(fd.get());
    return Fail(path + ": locked by " + (pid.empty() ? "another process" : "process " + pid));
  }
  // The pid is for people: a full disk must not keep the agent from starting.
  const std::string pid = std::to_string(getpid()) + "\n";
  [[maybe_unused]] const bool written =
      ftruncate(fd.get(), 0) == 0 && pwrite(fd.get(), pid.data(), pid.size(), 0) > 0;
  return std::make_unique<HeldLock>(std::move(fd));
}

std::unique_ptr<FileWatch> PosixFileSystem::Watch(EventLoop& loop,
                                                  std::vector<std::string> directories,
                                                  std::function<void()> changed) {
  auto* const system_loop = dynamic_cast<SystemEventLoop*>(&loop);
  CHECK(system_loop != nullptr);
  return std::make_unique<InotifyWatch>(*system_loop, std::move(directories), std::move(changed));
}

}  // namespace tributary
