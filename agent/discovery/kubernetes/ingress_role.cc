// discovery/kubernetes/ingress.go: a target for each path of each rule.
#include <algorithm>

#include "agent/discovery/kubernetes/roles.h"

namespace tributary {
namespace {

// "*.a.b" is for all names with one more part than a.b.
bool IsFor(std::string_view pattern, std::string_view host) {
  if (pattern == host) return true;
  if (!pattern.starts_with("*.")) return pattern == "*" && host.find('.') == host.npos;
  const size_t dot = host.find('.');
  return dot != std::string_view::npos && host.substr(dot) == pattern.substr(1);
}

}  // namespace

KubeBuild BuildIngress(const KubeObject& object, const KubeStores& stores) {
  KubeBuild build;
  const auto& ingress = std::get<KubeIngress>(object.details);
  MetaLabels common;
  common.Set("namespace", object.meta.namespace_name);
  common.Set("ingress_class_name", ingress.class_name);
  common.SetObject(object.meta, "ingress");
  stores.SetNamespace(common, object.meta.namespace_name);
  for (const KubeIngressRule& rule : ingress.rules) {
    const bool tls = std::any_of(ingress.tls_hosts.begin(), ingress.tls_hosts.end(),
                                 [&](const std::string& host) { return IsFor(host, rule.host); });
    for (const std::string& path : rule.paths) {
      MetaLabels labels = common;
      labels.Set("ingress_scheme", tls ? "https" : "http");
      labels.Set("ingress_host", rule.host);
      labels.Set("ingress_path", path);
      build.groups.push_back(labels.Group("ingress/" + object.Key(), rule.host));
    }
  }
  return build;
}

}  // namespace tributary
