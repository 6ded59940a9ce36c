// Tells when a file changes that a remote's credentials come from: those of its HTTP client, and
// with sigv4 AWS' shared files and tokens.
//
// Looks after any change in the files' folders, and every 2 s, since changes may go unnoticed there
// (network file systems). What counts is what is in the files. Alive only while somebody waits. One
// thread (the loop's).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"

namespace tributary {

class CredentialWatch {
 public:
  CredentialWatch(EventLoop& loop, FileSystem& files, const RemoteWriteConfig& config,
                  std::function<void()> changed);
  CredentialWatch(const CredentialWatch&) = delete;
  CredentialWatch& operator=(const CredentialWatch&) = delete;

 private:
  void Look();
  // Of a file's content; nullopt: it cannot be read.
  std::vector<std::optional<uint64_t>> Hashes() const;

  FileSystem& files_;
  const std::vector<std::string> paths_;
  const std::function<void()> changed_;
  std::vector<std::optional<uint64_t>> hashes_;
  std::unique_ptr<FileWatch> watch_;
  Timer timer_;
};

// The files that credentials of requests to this remote come from, each once.
std::vector<std::string> CredentialFiles(const RemoteWriteConfig& config);

}  // namespace tributary
