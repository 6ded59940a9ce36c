// The resources of Kubernetes' API that discovery looks at, and where they are. Pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace tributary {

enum class KubeResource : uint8_t {
  kPods,
  kNodes,
  kServices,
  kEndpoints,
  kEndpointSlices,
  kIngresses,
  kNamespaces,
  kReplicaSets,
  kJobs,
};

// "pods", "endpointslices" ...
const char* KubeResourceName(KubeResource resource);
// As rules of RBAC name it: "", "apps", "batch" ...
const char* KubeApiGroup(KubeResource resource);
// Whether objects of this kind belong to no namespace.
bool IsClusterWide(KubeResource resource);
// Only the metadata is of interest, and only it is asked for.
bool IsMetadataOnly(KubeResource resource);
// "/api/v1/namespaces/a/pods"; in all namespaces if the name is empty.
std::string KubePath(KubeResource resource, const std::string& namespace_name);

// "a/b", or "b" for what belongs to no namespace.
std::string KubeKey(const std::string& namespace_name, const std::string& name);

}  // namespace tributary
