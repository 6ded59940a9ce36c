// The pods that endpoints lead to, for the targets that their other ports make. As long as a group
// is built.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/discovery/kubernetes/roles.h"

namespace tributary {

class SeenPods {
 public:
  // An endpoint leads to the pod, at this port.
  void See(const KubeObject& pod, std::optional<int64_t> port);
  // A target for each port of a container that no endpoint leads to.
  void AppendOtherPorts(const MetaLabels& common, const KubeStores& stores,
                        const std::string& source, std::vector<TargetGroup>& groups) const;

 private:
  struct Seen {
    const KubeObject* object = nullptr;
    std::vector<int64_t> ports;
  };
  std::map<std::string, Seen> pods_;
};

}  // namespace tributary
