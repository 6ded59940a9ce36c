// discovery/kubernetes/pod.go: a target for each port of each container.
#include "agent/discovery/kubernetes/roles.h"
#include "common/base/host_port.h"

namespace tributary {

KubeBuild BuildPod(const KubeObject& object, const KubeStores& stores) {
  KubeBuild build;
  const auto& pod = std::get<KubePod>(object.details);
  if (pod.ip.empty()) return build;  // it starts, or has been evicted
  // On a node that the selector of nodes leaves out.
  if (stores.nodes != nullptr && stores.nodes->Find(pod.node_name) == nullptr) return build;
  MetaLabels common;
  stores.SetPod(common, object);
  common.Set("namespace", object.meta.namespace_name);
  stores.SetNode(common, pod.node_name);
  stores.SetNamespace(common, object.meta.namespace_name);
  const std::string source = "pod/" + object.Key();
  for (const KubeContainer& container : pod.containers) {
    MetaLabels of_container = common;
    of_container.Set("pod_container_id", container.id);
    if (container.ports.empty()) {
      of_container.Set("pod_container_name", container.name);
      of_container.Set("pod_container_image", container.image);
      of_container.Set("pod_container_init", container.init ? "true" : "false");
      build.groups.push_back(of_container.Group(source, pod.ip));
    }
    for (const KubePort& port : container.ports) {
      MetaLabels labels = of_container;
      SetContainer(labels, container, port, port.protocol);
      build.groups.push_back(labels.Group(source, JoinHostPort(pod.ip, port.number)));
    }
  }
  return build;
}

}  // namespace tributary
