#include "agent/discovery/kubernetes/resource.h"

#include <string_view>

#include "common/http/query.h"

namespace tributary {
namespace {

struct Entry {
  const char* name;
  const char* group;
  const char* root;
  bool cluster_wide;
  bool metadata_only;
};

const Entry& EntryOf(KubeResource resource) {
  static constexpr Entry kEntries[] = {
      {"pods", "", "/api/v1", false, false},
      {"nodes", "", "/api/v1", true, false},
      {"services", "", "/api/v1", false, false},
      {"endpoints", "", "/api/v1", false, false},
      {"endpointslices", "discovery.k8s.io", "/apis/discovery.k8s.io/v1", false, false},
      {"ingresses", "networking.k8s.io", "/apis/networking.k8s.io/v1", false, false},
      {"namespaces", "", "/api/v1", true, true},
      {"replicasets", "apps", "/apis/apps/v1", false, true},
      {"jobs", "batch", "/apis/batch/v1", false, true},
  };
  return kEntries[static_cast<size_t>(resource)];
}

}  // namespace

const char* KubeResourceName(KubeResource resource) { return EntryOf(resource).name; }
const char* KubeApiGroup(KubeResource resource) { return EntryOf(resource).group; }
bool IsClusterWide(KubeResource resource) { return EntryOf(resource).cluster_wide; }
bool IsMetadataOnly(KubeResource resource) { return EntryOf(resource).metadata_only; }

std::string KubePath(KubeResource resource, const std::string& namespace_name) {
  const Entry& entry = EntryOf(resource);
  std::string path = entry.root;
  if (!namespace_name.empty()) path += "/namespaces/" + EscapeBytes(namespace_name, "");
  return path + "/" + entry.name;
}

std::string KubeKey(const std::string& namespace_name, const std::string& name) {
  return namespace_name.empty() ? name : namespace_name + "/" + name;
}

}  // namespace tributary
