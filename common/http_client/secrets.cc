#include "common/http_client/secrets.h"

#include <openssl/evp.h>

#include <algorithm>

namespace tributary {

namespace {

constexpr size_t kSecretFileBytesMax = 1 << 20;

std::string Base64(const std::string& text) {
  std::vector<unsigned char> out(4 * ((text.size() + 2) / 3) + 1);
  const int size = EVP_EncodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  return std::string(reinterpret_cast<const char*>(out.data()), static_cast<size_t>(size));
}

}  // namespace

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

bool IsHeaderValue(const std::string& value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' ? c != '\x7f' : c == '\t';
  });
}

std::string HideSecrets(std::string message, const std::vector<std::string>& secrets,
                        size_t bytes_max) {
  for (const std::string& secret : secrets) {
    if (secret.size() < 4) continue;
    for (size_t at = message.find(secret); at != std::string::npos; at = message.find(secret, at)) {
      message.replace(at, secret.size(), "<secret>");
      at += 8;
    }
  }
  if (message.size() > bytes_max) message.resize(bytes_max);
  return message;
}

std::string BasicCredentials(const std::string& username, const std::string& password) {
  return "Basic " + Base64(username + ":" + password);
}

}  // namespace tributary
