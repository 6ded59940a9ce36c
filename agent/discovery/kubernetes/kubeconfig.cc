// Kubeconfig files: k8s.io/client-go tools/clientcmd (api/v1/types.go, client_config.go,
// validation.go, loader.go; 0.37).
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "agent/discovery/kubernetes/access.h"
#include "common/base/base64.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

constexpr size_t kFileBytesMax = 4 << 20;

const YamlNode* Find(const YamlNode& map, std::string_view key) {
  for (const YamlEntry& entry : map.map) {
    if (entry.key == key && !entry.value.is_null()) return &entry.value;
  }
  return nullptr;
}

std::string Text(const YamlNode& map, std::string_view key) {
  const YamlNode* const node = Find(map, key);
  return node == nullptr || !node->is_scalar() ? std::string() : node->text;
}

class Kubeconfig {
 public:
  Kubeconfig(std::string path, const YamlNode& root) : path_(std::move(path)), root_(root) {}

  Result<KubeAccess> Access() {
    const std::string context_name = Text(root_, "current-context");
    if (context_name.empty()) return Wrong(root_, "it names no current-context");
    const YamlNode* const context = Named("contexts", "context", context_name);
    if (context == nullptr) {
      return Wrong(root_, "its current context '" + context_name + "' is not in it");
    }
    const YamlNode* const cluster = Named("clusters", "cluster", Text(*context, "cluster"));
    if (cluster == nullptr) {
      return Wrong(*context, "the cluster '" + Text(*context, "cluster") + "' is not in it");
    }
    if (Status status = ReadCluster(*cluster); !status) return tl::unexpected(status.error());
    const std::string user_name = Text(*context, "user");
    if (user_name.empty()) return access_;
    const YamlNode* const user = Named("users", "user", user_name);
    if (user == nullptr) return Wrong(*context, "the user '" + user_name + "' is not in it");
    if (Status status = ReadUser(*user); !status) return tl::unexpected(status.error());
    return access_;
  }

 private:
  tl::unexpected<Error> Wrong(const YamlNode& where, const std::string& what) const {
    return Fail(fmt::format("kubeconfig_file {}:{}:{}: {}", path_, where.line, where.column, what));
  }

  // Of a list of {name: ..., <kind>: {...}}; the last of a name counts.
  const YamlNode* Named(std::string_view list, std::string_view kind, const std::string& name) {
    const YamlNode* const entries = Find(root_, list);
    const YamlNode* found = nullptr;
    if (entries == nullptr) return nullptr;
    static const YamlNode kEmpty;
    for (const YamlNode& entry : entries->list) {
      if (Text(entry, "name") != name) continue;
      found = Find(entry, kind);
      if (found == nullptr) found = &kEmpty;
    }
    return found;
  }

  std::string Path(const std::string& path) const {
    if (path.empty() || path[0] == '/') return path;
    const size_t slash = path_.rfind('/');
    return slash == std::string::npos ? path : path_.substr(0, slash + 1) + path;
  }

  // `file` and `data` say the same thing in two ways; only one may be there.
  Status ReadMaterial(const YamlNode& map, const std::string& name, std::string& file,
                      std::string& data) {
    file = Path(Text(map, name));
    const std::string encoded = Text(map, name + "-data");
    if (!file.empty() && !encoded.empty()) {
      return Wrong(map, name + " and " + name + "-data exclude each other");
    }
    std::optional<std::string> decoded = DecodeBase64(encoded);
    if (!decoded) return Wrong(*Find(map, name + "-data"), name + "-data is not base64");
    data = *std::move(decoded);
    return {};
  }

  Status ReadCluster(const YamlNode& cluster) {
    TlsConfig& tls = access_.http.tls;
    if (Status status = ReadMaterial(cluster, "certificate-authority", tls.ca_file, tls.ca);
        !status) {
      return status;
    }
    if (const YamlNode* const skip = Find(cluster, "insecure-skip-tls-verify")) {
      if (!YamlBool(*skip, tls.insecure_skip_verify)) {
        return Wrong(*skip, "insecure-skip-tls-verify has to be true or false");
      }
    }
    const bool has_ca = !tls.ca_file.empty() || !tls.ca.empty();
    if (has_ca && tls.insecure_skip_verify) {
      return Wrong(cluster, "insecure-skip-tls-verify excludes certificate-authority");
    }
    tls.server_name = Text(cluster, "tls-server-name");
    std::string server = Text(cluster, "server");
    if (server.empty()) return Wrong(cluster, "the cluster has no server");
    if (server.find("://") == std::string::npos) {
      server.insert(0, has_ca || tls.insecure_skip_verify ? "https://" : "http://");
    }
    server = server.substr(0, server.find_first_of("?#"));
    server.erase(server.find_last_not_of('/') + 1);
    access_.server = server;
    access_.http.proxy.proxy_url = Text(cluster, "proxy-url");
    access_.http.proxy.proxy_from_environment = access_.http.proxy.proxy_url.empty();
    return {};
  }

  Status ReadUser(const YamlNode& user) {
    for (const char* plugin : {"exec", "auth-provider", "as-user-extra"}) {
      if (const YamlNode* const node = Find(user, plugin)) {
        return Wrong(*node, fmt::format("'{}' of a user is not supported; give it a token, a "
                                        "tokenFile or a client certificate",
                                        plugin));
      }
    }
    // As client-go: what is not encrypted bears no credentials.
    if (!access_.server.starts_with("https://")) return {};
    ReadImpersonation(user);
    if (Status status = ReadCertificate(user); !status) return status;
    const std::string token = Text(user, "token");
    const std::string token_file = Path(Text(user, "tokenFile"));
    const std::string name = Text(user, "username"), password = Text(user, "password");
    const bool has_token = !token.empty() || !token_file.empty();
    if (has_token && (!name.empty() || !password.empty())) {
      return Wrong(user, "a user has either a token or a username and password");
    }
    if (has_token) {
      const bool by_file = !token_file.empty();  // which is the newer one
      access_.http.authorization =
          Authorization{"Bearer", {by_file ? std::string() : token}, token_file};
    } else if (!name.empty() || !password.empty()) {
      access_.http.basic_auth = BasicAuth{name, "", {password}, ""};
    }
    return {};
  }

  void ReadImpersonation(const YamlNode& user) {
    const std::string as = Text(user, "as");
    if (as.empty()) return;
    const auto add = [this](const char* header, std::string value) {
      access_.http.http_headers[header].values.push_back(std::move(value));
    };
    add("Impersonate-User", as);
    if (std::string uid = Text(user, "as-uid"); !uid.empty()) add("Impersonate-Uid", uid);
    if (const YamlNode* const groups = Find(user, "as-groups")) {
      for (const YamlNode& group : groups->list) add("Impersonate-Group", group.text);
    }
  }

  Status ReadCertificate(const YamlNode& user) {
    TlsConfig& tls = access_.http.tls;
    if (Status status = ReadMaterial(user, "client-certificate", tls.cert_file, tls.cert);
        !status) {
      return status;
    }
    if (Status status = ReadMaterial(user, "client-key", tls.key_file, tls.key.value); !status) {
      return status;
    }
    const bool has_certificate = !tls.cert_file.empty() || !tls.cert.empty();
    const bool has_key = !tls.key_file.empty() || !tls.key.empty();
    if (has_certificate != has_key) {
      return Wrong(user, "a client certificate and its key belong together");
    }
    return {};
  }

  const std::string path_;
  const YamlNode& root_;
  KubeAccess access_;
};

}  // namespace

Result<KubeAccess> ReadKubeconfig(FileSystem& files, const std::string& path) {
  Result<std::string> text = files.ReadFile(path, kFileBytesMax);
  if (!text) return Fail("kubeconfig_file: " + text.error().message);
  const YamlDocument document = ParseYaml(*text);
  if (document.failed()) {
    const YamlProblem& problem = document.problems.back();
    return Fail(fmt::format("kubeconfig_file {}:{}:{}: {}", path, problem.line, problem.column,
                            problem.message));
  }
  return Kubeconfig(path, document.root).Access();
}

}  // namespace tributary
