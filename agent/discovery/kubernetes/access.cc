#include "agent/discovery/kubernetes/access.h"

namespace tributary {
namespace {

const std::string kAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount/";
constexpr size_t kSmallFileBytesMax = 1 << 20;

// A host alone is asked by http, as by client-go.
std::string ServerUrl(std::string server) {
  if (server.find("://") == std::string::npos) server.insert(0, "http://");
  server.erase(server.find_last_not_of('/') + 1);
  return server;
}

Result<KubeAccess> InCluster(FileSystem& files, const KubeGetenv& getenv, bool own_namespace) {
  const auto variable = [&](const char* name) {
    const char* const value = getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string host = variable("KUBERNETES_SERVICE_HOST");
  const std::string port = variable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return Fail(
        "this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set (outside "
        "of a cluster, give api_server or kubeconfig_file)");
  }
  KubeAccess access;
  const bool v6 = host.find(':') != std::string::npos;
  access.server = "https://" + (v6 ? "[" + host + "]" : host) + ":" + port;
  const std::string token_file = kAccountFolder + "token";
  if (auto token = files.ReadFile(token_file, kSmallFileBytesMax); !token) {
    return Fail("no service account: " + token.error().message);
  }
  access.http.authorization = Authorization{"Bearer", {}, token_file};
  // Without it, client-go trusts the system's roots.
  if (files.ReadFile(kAccountFolder + "ca.crt", kSmallFileBytesMax)) {
    access.http.tls.ca_file = kAccountFolder + "ca.crt";
  }
  access.http.proxy.proxy_from_environment = true;
  if (!own_namespace) return access;
  auto name = files.ReadFile(kAccountFolder + "namespace", kSmallFileBytesMax);
  if (!name) return Fail("the pod's namespace is not known: " + name.error().message);
  if (name->empty()) return Fail("the pod's namespace is not known: the file is empty");
  access.own_namespace = *std::move(name);
  return access;
}

}  // namespace

Result<KubeAccess> FindKubeAccess(const KubernetesSdConfig& config, FileSystem& files,
                                  const KubeGetenv& getenv) {
  if (!config.kubeconfig_file.empty()) return ReadKubeconfig(files, config.kubeconfig_file);
  if (config.api_server.empty()) return InCluster(files, getenv, config.own_namespace);
  return KubeAccess{ServerUrl(config.api_server), config.http, ""};
}

}  // namespace tributary
