// Where a cluster's API is and with which credentials it is asked: as the configuration says, as a
// kubeconfig file says, or as every pod finds it in its environment.
// Follows prometheus/prometheus discovery/kubernetes/kubernetes.go (New) and k8s.io/client-go
// rest/config.go (InClusterConfig), tools/clientcmd (0.37).
//
// Files are read once, but for those of tokens, certificates and keys, which are read at each
// request. Errors name files, never what is in them. Any thread.
#pragma once

#include <functional>
#include <string>

#include "common/base/status.h"
#include "common/config/model.h"
#include "common/file/file_system.h"

namespace tributary {

struct KubeAccess {
  std::string server;  // a URL without '/' at its end; show RedactUrl(server)
  HttpClientConfig http;
  std::string own_namespace;  // if it was asked for
  bool operator==(const KubeAccess&) const = default;
};

// As std::getenv.
using KubeGetenv = std::function<const char*(const char*)>;

Result<KubeAccess> FindKubeAccess(const KubernetesSdConfig& config, FileSystem& files,
                                  const KubeGetenv& getenv);

// Of the file's current context. Paths in it are relative to its folder. What its user cannot do
// without plugins (exec, auth-provider), and as-user-extra, is an error. A server that is not asked
// by https gets no credentials.
Result<KubeAccess> ReadKubeconfig(FileSystem& files, const std::string& path);

}  // namespace tributary
