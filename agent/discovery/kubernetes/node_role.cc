// discovery/kubernetes/node.go: a target for each node, its kubelet.
#include <algorithm>
#include <iterator>

#include "agent/discovery/kubernetes/roles.h"
#include "common/base/host_port.h"
#include "common/base/utf8.h"

namespace tributary {
namespace {

// The first of the type that is preferred; null if there is none.
const std::string* AddressOf(const KubeNode& node) {
  constexpr std::string_view kTypes[] = {"InternalIP",  "InternalDNS",  "ExternalIP",
                                         "ExternalDNS", "LegacyHostIP", "Hostname"};
  for (const std::string_view type : kTypes) {
    for (const auto& [given, address] : node.addresses) {
      if (given == type) return &address;
    }
  }
  return nullptr;
}

}  // namespace

KubeBuild BuildNode(const KubeObject& object) {
  KubeBuild build;
  const auto& node = std::get<KubeNode>(object.details);
  const std::string* const address = AddressOf(node);
  if (address == nullptr) {
    build.problem = "the node \"" + object.meta.name + "\" has no address and is no target";
    return build;
  }
  MetaLabels labels;
  labels.Set("node_provider_id", node.provider_id);
  for (const auto& [type, status] : node.conditions) {
    labels.Set("node_condition_" + SanitizeLabelName(ToLowerUtf8(type)), ToLowerUtf8(status));
  }
  labels.SetObject(object.meta, "node");
  labels.SetPlain("instance", object.meta.name);
  // Of each type the first: what is set later wins.
  for (auto at = node.addresses.rbegin(); at != node.addresses.rend(); ++at) {
    labels.Set("node_address_" + SanitizeLabelName(at->first), at->second);
  }
  build.groups.push_back(
      labels.Group("node/" + object.meta.name, JoinHostPort(*address, node.kubelet_port)));
  return build;
}

}  // namespace tributary
