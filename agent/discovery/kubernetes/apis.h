// The API servers that are asked, and what is watched there. Whoever watches the same objects of
// the same server with the same credentials shares one watcher, whatever the job.
//
// Control loop only. Everything here lives as long as somebody uses it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/discovery/kubernetes/access.h"
#include "agent/discovery/kubernetes/counters.h"
#include "agent/discovery/kubernetes/watcher.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/http_client.h"

namespace tributary {

// A server with the credentials for it.
class KubeApi {
 public:
  KubeApi(EventLoop& loop, HttpTransport& http, FileSystem& files, KubeAccess access);

  const KubeAccess& access() const { return access_; }
  const std::string& shown_url() const { return shown_url_; }
  HttpClient& client() { return client_; }
  // The server's words without what they may repeat of the credentials; "" if that cannot be known.
  std::string Presentable(const std::string& message) const;

 private:
  FileSystem& files_;
  const KubeAccess access_;
  const std::string shown_url_;
  HttpClient client_;
};

class KubeApis {
 public:
  // All must outlive it, and it the watchers.
  KubeApis(EventLoop& loop, HttpTransport& http, FileSystem& files, KubeCounters& counters,
           std::function<void(std::string)> warn);

  std::shared_ptr<KubeWatcher> Watch(const KubeAccess& access, const KubeQuery& query);

 private:
  std::shared_ptr<KubeApi> ApiOf(const KubeAccess& access);

  EventLoop& loop_;
  HttpTransport& http_;
  FileSystem& files_;
  KubeCounters& counters_;
  const std::function<void(std::string)> warn_;
  std::vector<std::weak_ptr<KubeApi>> apis_;
  std::vector<std::weak_ptr<KubeWatcher>> watchers_;
};

}  // namespace tributary
