#include "agent/discovery/kubernetes/seen_pods.h"

#include <algorithm>

#include "common/base/host_port.h"

namespace tributary {

void SeenPods::See(const KubeObject& pod, std::optional<int64_t> port) {
  Seen& seen = pods_[pod.Key()];
  seen.object = &pod;
  if (port) seen.ports.push_back(*port);
}

void SeenPods::AppendOtherPorts(const MetaLabels& common, const KubeStores& stores,
                                const std::string& source, std::vector<TargetGroup>& groups) const {
  for (const auto& [key, seen] : pods_) {
    const auto& pod = std::get<KubePod>(seen.object->details);
    if (pod.ip.empty()) continue;
    for (const KubeContainer& container : pod.containers) {
      for (const KubePort& port : container.ports) {
        if (std::count(seen.ports.begin(), seen.ports.end(), port.number) > 0) continue;
        MetaLabels labels = common;
        SetContainer(labels, container, port, port.protocol);
        stores.SetPod(labels, *seen.object);
        groups.push_back(labels.Group(source, JoinHostPort(pod.ip, port.number)));
      }
    }
  }
}

}  // namespace tributary
