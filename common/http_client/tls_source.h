// TLS settings of a configuration as they are now: its files are read at each use, and what they
// say is parsed again only when it has changed. One thread. Follows prometheus/common
// config/http_config.go (NewTLSConfig, tlsRoundTripper).
#pragma once

#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/config/model.h"
#include "common/file/file_system.h"
#include "common/http/tls.h"

namespace tributary {

class TlsSource {
 public:
  TlsSource(FileSystem& files, const TlsConfig& config);

  // Null where the configuration says nothing; an error names the file that cannot be used. Files
  // are at most 1 MiB.
  Result<std::shared_ptr<const HttpTls>> Current();

 private:
  FileSystem& files_;
  const TlsConfig config_;
  const bool says_nothing_, has_files_;
  std::string ca_, certificate_, key_;  // what `current_` was made of
  std::shared_ptr<const HttpTls> current_;
};

}  // namespace tributary
