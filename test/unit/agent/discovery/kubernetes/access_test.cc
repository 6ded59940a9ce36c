#include "agent/discovery/kubernetes/access.h"

#include <map>

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"

namespace tributary {
namespace {

const std::string kAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";

struct AccessWorld {
  Result<KubeAccess> Find(const KubernetesSdConfig& config = {}) {
    return FindKubeAccess(config, files, [this](const char* name) -> const char* {
      const auto found = environment.find(name);
      return found == environment.end() ? nullptr : found->second.c_str();
    });
  }
  std::string Error(const KubernetesSdConfig& config = {}) {
    const auto access = Find(config);
    return access ? "" : access.error().message;
  }

  SimFileSystem files;
  std::map<std::string, std::string> environment = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                                                    {"KUBERNETES_SERVICE_PORT", "443"}};
};

TEST_CASE("kubernetes access: a pod has it in its environment and its service account") {
  AccessWorld world;
  world.files.WriteFile(kAccount + "token", "t");
  world.files.WriteFile(kAccount + "namespace", "mine");
  auto access = world.Find();
  REQUIRE(access);
  CHECK(access->server == "https://10.0.0.1:443");
  CHECK(access->http.authorization->credentials_file == kAccount + "token");
  CHECK(access->http.tls.ca_file.empty());
  CHECK(access->http.proxy.proxy_from_environment);
  CHECK(access->own_namespace.empty());
  world.files.WriteFile(kAccount + "ca.crt", "pem");
  world.environment["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  KubernetesSdConfig own;
  own.own_namespace = true;
  access = world.Find(own);
  REQUIRE(access);
  CHECK(access->server == "https://[fd00::1]:443");
  CHECK(access->http.tls.ca_file == kAccount + "ca.crt");
  CHECK(access->own_namespace == "mine");
}

TEST_CASE("kubernetes access: what is missing in a pod is named") {
  AccessWorld world;
  CHECK(world.Error().find(kAccount + "token") != std::string::npos);
  world.files.WriteFile(kAccount + "token", "t");
  KubernetesSdConfig own;
  own.own_namespace = true;
  CHECK(world.Error(own).find(kAccount + "namespace") != std::string::npos);
  world.files.WriteFile(kAccount + "namespace", "");
  CHECK(world.Error(own).find("empty") != std::string::npos);
  world.environment.clear();
  CHECK(world.Error().find("KUBERNETES_SERVICE_HOST") != std::string::npos);
}

TEST_CASE("kubernetes access: api_server as it is given, with its HTTP client") {
  AccessWorld world;
  KubernetesSdConfig config;
  config.http.basic_auth = BasicAuth{"u", "", {"p"}, ""};
  for (const auto& [given, server] :
       std::map<std::string, std::string>{{"https://k8s:6443", "https://k8s:6443"},
                                          {"https://k8s/prefix/", "https://k8s/prefix"},
                                          {"k8s:8080", "http://k8s:8080"}}) {
    config.api_server = given;
    const auto access = world.Find(config);
    REQUIRE(access);
    CHECK(access->server == server);
    CHECK(access->http == config.http);
  }
}

// A kubeconfig with this cluster and this user.
std::string Kubeconfig(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: x\npreferences: {}\n"
         "contexts:\n- name: y\n  context: {cluster: none, user: none}\n"
         "- name: x\n  context: {cluster: c, user: u, namespace: ignored}\n"
         "clusters:\n- name: c\n  cluster: " +
         cluster + "\nusers:\n- name: u\n  user: " + user + "\n";
}

struct KubeconfigWorld : AccessWorld {
  Result<KubeAccess> Read(const std::string& text) {
    files.WriteFile("/etc/kube/config", text);
    return ReadKubeconfig(files, "/etc/kube/config");
  }
  std::string Wrong(const std::string& text) {
    const auto access = Read(text);
    return access ? "" : access.error().message;
  }
};

TEST_CASE("kubeconfig: cluster and user of the current context") {
  KubeconfigWorld world;
  auto access = world.Read(Kubeconfig(
      "{server: 'https://k8s:6443/p/', certificate-authority: pki/ca.pem, tls-server-name: name}",
      "{client-certificate: /abs/cert.pem, client-key: key.pem, tokenFile: token, token: old}"));
  REQUIRE(access);
  CHECK(access->server == "https://k8s:6443/p");
  CHECK(access->http.tls.ca_file == "/etc/kube/pki/ca.pem");
  CHECK(access->http.tls.server_name == "name");
  CHECK(access->http.tls.cert_file == "/abs/cert.pem");
  CHECK(access->http.tls.key_file == "/etc/kube/key.pem");
  CHECK(access->http.authorization->credentials_file == "/etc/kube/token");
  CHECK(access->http.authorization->credentials.empty());
  CHECK(access->http.proxy.proxy_from_environment);

  access = world.Read(Kubeconfig(
      "{server: 'https://k', certificate-authority-data: Y2E=, proxy-url: 'http://p:1'}",
      "{client-certificate-data: Y2VydA==, client-key-data: a2V5, username: u, password: p, "
      "as: boss, as-uid: '1', as-groups: [a, b]}"));
  REQUIRE(access);
  CHECK(access->http.tls.ca == "ca");
  CHECK(access->http.tls.cert == "cert");
  CHECK(access->http.tls.key.value == "key");
  CHECK(access->http.basic_auth->username == "u");
  CHECK(access->http.basic_auth->password.value == "p");
  CHECK(access->http.proxy.proxy_url == "http://p:1");
  CHECK_FALSE(access->http.proxy.proxy_from_environment);
  CHECK(access->http.http_headers["Impersonate-User"].values == std::vector<std::string>{"boss"});
  CHECK(access->http.http_headers["Impersonate-Uid"].values == std::vector<std::string>{"1"});
  CHECK(access->http.http_headers["Impersonate-Group"].values ==
        std::vector<std::string>{"a", "b"});

  access = world.Read(Kubeconfig("{server: k8s:1, insecure-skip-tls-verify: true}", "{token: t}"));
  REQUIRE(access);
  CHECK(access->server == "https://k8s:1");
  CHECK(access->http.tls.insecure_skip_verify);
  CHECK(access->http.authorization->credentials.value == "t");
}

TEST_CASE("kubeconfig: a server without TLS gets no credentials") {
  KubeconfigWorld world;
  const auto access = world.Read(Kubeconfig("{server: 'http://k8s'}", "{token: secret, as: x}"));
  REQUIRE(access);
  CHECK_FALSE(access->http.authorization);
  CHECK(access->http.http_headers.empty());
}

TEST_CASE("kubeconfig: what cannot be used is an error with its place, and without secrets") {
  const std::string cluster = "{server: 'https://k8s'}";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Kubeconfig(cluster, "{exec: {command: aws}}"), "/etc/kube/config:15:16: 'exec' of a user"},
      {Kubeconfig(cluster, "{auth-provider: {name: gcp}}"), "'auth-provider' of a user"},
      {Kubeconfig(cluster, "{as-user-extra: {a: [b]}}"), "'as-user-extra'"},
      {Kubeconfig(cluster, "{token: secret, username: u}"), "either a token or"},
      {Kubeconfig(cluster, "{client-key-data: a2V5}"), "belong together"},
      {Kubeconfig(cluster, "{client-certificate-data: 'secret!'}"), "is not base64"},
      {Kubeconfig("{}", "{}"), "has no server"},
      {Kubeconfig(
           "{server: 'https://k', certificate-authority: a, certificate-authority-data: Yg==}",
           "{}"),
       "exclude each other"},
      {Kubeconfig("{server: 'https://k', certificate-authority: a, insecure-skip-tls-verify: true}",
                  "{}"),
       "excludes certificate-authority"},
      {"current-context: z\ncontexts: []\n", "context 'z' is not in it"},
      {"{}", "no current-context"},
      {"", "no current-context"},
      {"a: [", "/etc/kube/config:2:1: "},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n", "cluster 'c'"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
       "clusters: [{name: c, cluster: {server: 'https://k'}}]\n",
       "user 'u'"}};
  for (const auto& [text, message] : cases) {
    INFO(text);
    KubeconfigWorld world;
    const std::string wrong = world.Wrong(text);
    CHECK(wrong.find(message) != std::string::npos);
    CHECK(wrong.find("secret") == std::string::npos);
    CHECK(wrong.find("/etc/kube/config") != std::string::npos);
  }
  SimFileSystem none;
  CHECK(ReadKubeconfig(none, "/none").error().message.find("/none") != std::string::npos);
}

}  // namespace
}  // namespace tributary
