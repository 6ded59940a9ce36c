// What each role makes of Kubernetes' objects: a group for each target, with all labels that
// prometheus/prometheus discovery/kubernetes (3.16) gives it. One file a role.
//
// A target of Prometheus' without address is one here too; what becomes of it is for relabeling to
// say. Targets are in the order of the object; where Prometheus' order is chance, in the order of
// names. Pure, control loop only.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/discovery/kubernetes/meta_labels.h"
#include "agent/discovery/kubernetes/objects.h"
#include "agent/discovery/kubernetes/watcher.h"
#include "common/config/model.h"

namespace tributary {

// The other objects that targets have labels of. Null: they are not looked at.
struct KubeStores {
  const KubeWatcher* services = nullptr;
  const KubeWatcher* pods = nullptr;
  const KubeWatcher* nodes = nullptr;
  const KubeWatcher* namespaces = nullptr;
  const KubeWatcher* replica_sets = nullptr;
  const KubeWatcher* jobs = nullptr;
  bool job_name = false;  // of a pod's job; needs no look at the job

  // What an object's group labels begin with: those of its namespace.
  void SetNamespace(MetaLabels& labels, const std::string& name) const;
  // Of the node; nothing if it is not known.
  void SetNode(MetaLabels& labels, const std::string& name) const;
  // Of a pod by itself, without its containers and its namespace's name.
  void SetPod(MetaLabels& labels, const KubeObject& pod) const;
  // Of a service, with the namespace's name. Null if it is not known.
  const KubeService* SetService(MetaLabels& labels, const std::string& key) const;
  // The pod that a reference names; null if it names none, or an unknown one.
  const KubeObject* PodOf(const std::optional<KubeReference>& target) const;
};

// Keys of other objects that have changed.
struct KubeTouched {
  std::set<std::string> services, pods, nodes, namespaces, replica_sets, jobs;
  bool empty() const;
};

// Of the service that a slice belongs to; "" if it belongs to none.
std::string ServiceKeyOfSlice(const KubeMeta& meta);

// Container and port of a target: pod_container_*.
void SetContainer(MetaLabels& labels, const KubeContainer& container, const KubePort& port,
                  const std::string& protocol);

struct KubeBuild {
  std::vector<TargetGroup> groups;
  std::string problem;  // something that a person should know; "" if there is nothing
};

KubeBuild BuildPod(const KubeObject& pod, const KubeStores& stores);
KubeBuild BuildNode(const KubeObject& node);
KubeBuild BuildService(const KubeObject& service, const KubeStores& stores);
KubeBuild BuildEndpoints(const KubeObject& endpoints, const KubeStores& stores);
KubeBuild BuildEndpointSlice(const KubeObject& slice, const KubeStores& stores);
KubeBuild BuildIngress(const KubeObject& ingress, const KubeStores& stores);

KubeBuild BuildKubeTargets(KubeRole role, const KubeObject& object, const KubeStores& stores);

// Whether the groups of an object of the role may be others for what has changed elsewhere.
bool DependsOn(KubeRole role, const KubeObject& object, const KubeTouched& touched);

}  // namespace tributary
