// The file that --web.config.file names: who may speak to the web server, and how.
//
// Names, defaults and rules follow prometheus/exporter-toolkit web (0.20): a file that Prometheus
// takes is taken, but for `rate_limit`, which is not built, and for what would have no effect there
// in silence: a certificate that is given twice, a version range that is empty, TLS options without
// TLS. Unknown options are errors with their place. Secrets are in no message.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/loader.h"
#include "common/config/model.h"
#include "common/file/file_system.h"

namespace tributary {

enum class ClientAuth : uint8_t { kNone, kRequest, kRequireAny, kVerifyIfGiven, kRequireAndVerify };

struct WebTlsConfig {
  std::string cert, client_ca;  // PEM; or the files
  Secret key;
  std::string cert_file, key_file, client_ca_file;
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> client_allowed_sans;
  std::string min_version, max_version;                       // of TLS10, TLS11, TLS12, TLS13
  std::vector<std::string> cipher_suites, curve_preferences;  // by Go's names
  bool prefer_server_cipher_suites = true;
  bool operator==(const WebTlsConfig&) const = default;
};

struct WebConfig {
  std::optional<WebTlsConfig> tls;             // nullopt: plain HTTP
  std::map<std::string, std::string> headers;  // of every answer; "" takes one away
  std::map<std::string, Secret> users;         // name to bcrypt hash; empty: everybody may come
  bool empty = false;                          // the file says nothing at all
};

struct WebConfigResult {
  // Null if there is an error among the diagnostics.
  std::shared_ptr<const WebConfig> config;
  std::vector<Diagnostic> diagnostics;  // by line
  bool unreadable = false;
};

// Never throws. Relative paths resolve against the folder of the file.
WebConfigResult LoadWebConfig(FileSystem& files, const std::string& path);
WebConfigResult ParseWebConfig(const std::string& text, const std::string& path);

// The errors among them, one a line.
std::string ErrorText(const std::vector<Diagnostic>& diagnostics);

// "$2b$" (or $2a$, $2y$), a cost, salt and hash: what bcrypt makes.
bool IsBcryptHash(const std::string& text);
// Of such a hash: its work is 2^cost.
int BcryptCost(const std::string& hash);

}  // namespace tributary
