#include "agent/remote/credential_watch.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/hash.h"

namespace tributary {

namespace {

constexpr nanoseconds kInterval = seconds(2);
constexpr size_t kFileBytesMax = 1 << 20;

void AddAwsFiles(std::vector<std::string>& paths) {
  auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  auto shared = [&](const char* name, const char* in_home) {
    std::string path = variable(name);
    if (path.empty() && !variable("HOME").empty()) path = variable("HOME") + in_home;
    paths.push_back(std::move(path));
  };
  shared("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  shared("AWS_CONFIG_FILE", "/.aws/config");
  paths.push_back(variable("AWS_WEB_IDENTITY_TOKEN_FILE"));
  paths.push_back(variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
}

std::vector<std::string> FoldersOf(const std::vector<std::string>& paths) {
  std::vector<std::string> folders;
  for (const std::string& path : paths) {
    const size_t slash = path.rfind('/');
    std::string folder =
        slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) {
      folders.push_back(std::move(folder));
    }
  }
  return folders;
}

}  // namespace

std::vector<std::string> CredentialFiles(const RemoteWriteConfig& config) {
  std::vector<std::string> paths;
  const HttpClientConfig& http = config.http;
  if (http.basic_auth) {
    paths.push_back(http.basic_auth->username_file);
    paths.push_back(http.basic_auth->password_file);
  }
  if (http.authorization) paths.push_back(http.authorization->credentials_file);
  auto add_tls = [&](const TlsConfig& tls) {
    paths.push_back(tls.cert_file);
    paths.push_back(tls.key_file);
  };
  add_tls(http.tls);
  if (http.oauth2) {
    paths.push_back(http.oauth2->client_secret_file);
    add_tls(http.oauth2->tls);
  }
  for (const auto& [name, header] : http.http_headers) {
    paths.insert(paths.end(), header.files.begin(), header.files.end());
  }
  if (config.sigv4 && config.sigv4->access_key.empty()) AddAwsFiles(paths);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::erase(paths, "");
  return paths;
}

CredentialWatch::CredentialWatch(EventLoop& loop, FileSystem& files,
                                 const RemoteWriteConfig& config, std::function<void()> changed)
    : files_(files),
      paths_(CredentialFiles(config)),
      changed_(std::move(changed)),
      hashes_(Hashes()),
      timer_(loop) {
  if (paths_.empty()) return;
  watch_ = files.Watch(loop, FoldersOf(paths_), [this] { Look(); });
  timer_.SetAfter(kInterval, [this] { Look(); });
}

void CredentialWatch::Look() {
  timer_.SetAfter(kInterval, [this] { Look(); });
  std::vector<std::optional<uint64_t>> hashes = Hashes();
  if (hashes == hashes_) return;
  hashes_ = std::move(hashes);
  changed_();
}

std::vector<std::optional<uint64_t>> CredentialWatch::Hashes() const {
  std::vector<std::optional<uint64_t>> hashes;
  for (const std::string& path : paths_) {
    const Result<std::string> content = files_.ReadFile(path, kFileBytesMax);
    hashes.push_back(content ? std::optional(StableHash(*content)) : std::nullopt);
  }
  return hashes;
}

}  // namespace tributary
