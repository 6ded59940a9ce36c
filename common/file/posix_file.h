// File over a descriptor. Private to this folder.
#pragma once

#include <string>
#include <utility>

#include "common/file/disk.h"
#include "common/file/unique_fd.h"

namespace tributary {

class PosixFile : public File {
 public:
  PosixFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<size_t> ReadAt(uint64_t offset, char* out, size_t size) override;
  Status WriteAt(uint64_t offset, std::string_view bytes) override;
  Status Truncate(uint64_t size) override;
  Status Sync() override;
  Result<uint64_t> Size() override;

 private:
  tl::unexpected<Error> FailNow() const;

  const std::string path_;  // for errors
  const UniqueFd fd_;
};

}  // namespace tributary
