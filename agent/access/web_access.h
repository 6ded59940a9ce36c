// The rules of --web.config.file as they are now.
//
// Its files are read at each connection, and parsed again when they have changed. What cannot be
// used is told once, and leaves the last good rules in force: a certificate that is there before
// its key, or a file that is just being written, must neither open the server nor close it. Whether
// TLS is spoken is decided at the start.
//
// Current() belongs to one thread; what it returns is immutable, but for the memory of passwords,
// which is thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "agent/access/password_check.h"
#include "agent/access/server_tls.h"
#include "agent/access/web_config.h"
#include "common/base/status.h"
#include "common/file/file_system.h"

namespace tributary {

struct WebTerms {
  std::shared_ptr<const WebConfig> config;
  std::shared_ptr<const ServerTls> tls;  // null: plain HTTP
};

// The file and what it names, read and checked; the text of an error is for people, and may have
// several lines.
Result<WebTerms> LoadWebTerms(FileSystem& files, const std::string& path);

class WebAccess {
 public:
  // `problem` is called by Current() when what the files say cannot be used, once for each problem.
  static Result<std::unique_ptr<WebAccess>> Open(FileSystem& files, const std::string& path,
                                                 std::function<void(const std::string&)> problem);

  std::shared_ptr<const WebTerms> Current();
  PasswordCheck& passwords() { return passwords_; }
  // Whether what the files said last is in force. Any thread.
  bool last_read_good() const { return last_read_good_.load(); }

 private:
  // What was read: all that the terms depend on.
  struct Texts {
    std::string config, certificate, key, client_ca;
    std::string problem;  // with reading them
    bool operator==(const Texts&) const = default;
  };

  WebAccess(FileSystem& files, std::string path, std::function<void(const std::string&)> problem)
      : files_(files), path_(std::move(path)), problem_(std::move(problem)) {}
  Texts ReadAll() const;
  Result<WebTerms> Renew() const;

  FileSystem& files_;
  const std::string path_;
  const std::function<void(const std::string&)> problem_;
  Texts texts_;  // what `terms_` were made of, as far as is known
  std::string last_problem_;
  std::shared_ptr<const WebTerms> terms_;
  std::atomic<bool> last_read_good_{true};
  PasswordCheck passwords_;
};

}  // namespace tributary
