#include "common/http_client/authorization.h"

#include <openssl/evp.h>

#include <vector>

namespace tributary {

namespace {

constexpr size_t kSecretFileBytesMax = 1 << 20;

// The content without the white space around it, as Prometheus takes it.
Result<std::string> ReadSecret(FileSystem& files, const std::string& path) {
  Result<std::string> text = files.ReadFile(path, kSecretFileBytesMax);
  if (!text) return text;
  const char* blank = " \t\r\n";
  const size_t begin = text->find_first_not_of(blank);
  if (begin == std::string::npos) return std::string();
  return text->substr(begin, text->find_last_not_of(blank) + 1 - begin);
}

Result<std::string> ValueOrFile(FileSystem& files, const std::string& value,
                                const std::string& path) {
  if (path.empty()) return value;
  return ReadSecret(files, path);
}

std::string Base64(const std::string& text) {
  std::vector<unsigned char> out(4 * ((text.size() + 2) / 3) + 1);
  const int size = EVP_EncodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  return std::string(reinterpret_cast<const char*>(out.data()), static_cast<size_t>(size));
}

}  // namespace

Result<std::optional<std::string>> AuthorizationHeader(const HttpClientConfig& config,
                                                       FileSystem& files) {
  if (config.basic_auth) {
    const BasicAuth& basic = *config.basic_auth;
    auto username = ValueOrFile(files, basic.username, basic.username_file);
    if (!username) return tl::unexpected(username.error());
    auto password = ValueOrFile(files, basic.password.value, basic.password_file);
    if (!password) return tl::unexpected(password.error());
    return "Basic " + Base64(*username + ":" + *password);
  }
  if (config.authorization) {
    const Authorization& auth = *config.authorization;
    auto credentials = ValueOrFile(files, auth.credentials.value, auth.credentials_file);
    if (!credentials) return tl::unexpected(credentials.error());
    return auth.type + " " + *credentials;
  }
  return std::optional<std::string>();
}

}  // namespace tributary
