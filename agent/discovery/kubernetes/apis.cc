#include "agent/discovery/kubernetes/apis.h"

#include <optional>
#include <utility>

#include "common/http_client/authorization.h"
#include "common/http_client/secrets.h"

namespace tributary {

KubeApi::KubeApi(EventLoop& loop, HttpTransport& http, FileSystem& files, KubeAccess access)
    : files_(files),
      access_(std::move(access)),
      shown_url_(RedactUrl(access_.server)),
      client_(loop, http, files, access_.http) {}

std::string KubeApi::Presentable(const std::string& message) const {
  const HttpClientConfig& http = access_.http;
  if (http.oauth2) return "";  // whose token is not known here
  std::vector<std::string> secrets;
  const auto add = [&](const std::string& value, const std::string& file) {
    Result<std::string> secret = ValueOrFile(files_, value, file);
    if (secret) secrets.push_back(*std::move(secret));
    return secret.has_value();
  };
  const Result<std::optional<std::string>> header = AuthorizationHeader(http, files_);
  if (!header) return "";
  if (*header) secrets.push_back((*header)->substr((*header)->find(' ') + 1));
  if (http.basic_auth && !add(http.basic_auth->password.value, http.basic_auth->password_file)) {
    return "";
  }
  for (const auto& [name, values] : http.http_headers) {
    for (const Secret& secret : values.secrets) secrets.push_back(secret.value);
    for (const std::string& file : values.files) {
      if (!add("", file)) return "";
    }
  }
  return HideSecrets(message, secrets);
}

KubeApis::KubeApis(EventLoop& loop, HttpTransport& http, FileSystem& files, KubeCounters& counters,
                   std::function<void(std::string)> warn)
    : loop_(loop), http_(http), files_(files), counters_(counters), warn_(std::move(warn)) {}

std::shared_ptr<KubeApi> KubeApis::ApiOf(const KubeAccess& access) {
  std::erase_if(apis_, [](const auto& api) { return api.expired(); });
  for (const auto& weak : apis_) {
    std::shared_ptr<KubeApi> api = weak.lock();
    if (api->access().server == access.server && api->access().http == access.http) return api;
  }
  auto api = std::make_shared<KubeApi>(loop_, http_, files_, access);
  apis_.push_back(api);
  return api;
}

std::shared_ptr<KubeWatcher> KubeApis::Watch(const KubeAccess& access, const KubeQuery& query) {
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  std::shared_ptr<KubeApi> api = ApiOf(access);
  for (const auto& weak : watchers_) {
    std::shared_ptr<KubeWatcher> watcher = weak.lock();
    if (&watcher->api() == api.get() && watcher->query() == query) return watcher;
  }
  auto watcher = std::make_shared<KubeWatcher>(loop_, std::move(api), query, counters_, warn_);
  watchers_.push_back(watcher);
  return watcher;
}

}  // namespace tributary
