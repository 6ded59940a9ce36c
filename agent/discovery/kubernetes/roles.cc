#include "agent/discovery/kubernetes/roles.h"

#include <utility>

namespace tributary {
namespace {

// The owner of the object of this key, if it is of this kind.
std::string OwnerName(const KubeWatcher* store, const std::string& key, std::string_view kind) {
  const KubeObject* const object = store == nullptr ? nullptr : store->Find(key);
  if (object == nullptr || !object->meta.controller) return "";
  return object->meta.controller->kind == kind ? object->meta.controller->name : "";
}

bool PodDependsOn(const KubeObject& object, const KubeTouched& touched) {
  const auto& pod = std::get<KubePod>(object.details);
  if (touched.nodes.contains(pod.node_name)) return true;
  if (!object.meta.controller) return false;
  const std::string key = KubeKey(object.meta.namespace_name, object.meta.controller->name);
  return (object.meta.controller->kind == "ReplicaSet" && touched.replica_sets.contains(key)) ||
         (object.meta.controller->kind == "Job" && touched.jobs.contains(key));
}

bool AddressDependsOn(const std::optional<std::string>& node_name,
                      const std::optional<KubeReference>& target, const KubeTouched& touched) {
  if (node_name && touched.nodes.contains(*node_name)) return true;
  if (!target) return false;
  if (target->kind == "Node") return touched.nodes.contains(target->name);
  return target->kind == "Pod" &&
         touched.pods.contains(KubeKey(target->namespace_name, target->name));
}

bool EndpointsDependOn(const KubeObject& object, const KubeTouched& touched) {
  if (touched.services.contains(object.Key())) return true;
  for (const KubeEndpointSubset& subset : std::get<KubeEndpoints>(object.details).subsets) {
    for (const auto* addresses : {&subset.ready, &subset.not_ready}) {
      for (const KubeEndpointAddress& address : *addresses) {
        if (AddressDependsOn(address.node_name, address.target, touched)) return true;
      }
    }
  }
  return false;
}

bool SliceDependsOn(const KubeObject& object, const KubeTouched& touched) {
  if (touched.services.contains(ServiceKeyOfSlice(object.meta))) return true;
  for (const KubeEndpoint& endpoint : std::get<KubeEndpointSlice>(object.details).endpoints) {
    if (AddressDependsOn(endpoint.node_name, endpoint.target, touched)) return true;
  }
  return false;
}

}  // namespace

bool KubeTouched::empty() const {
  return services.empty() && pods.empty() && nodes.empty() && namespaces.empty() &&
         replica_sets.empty() && jobs.empty();
}

void KubeStores::SetNamespace(MetaLabels& labels, const std::string& name) const {
  const KubeObject* const found = namespaces == nullptr ? nullptr : namespaces->Find(name);
  if (found != nullptr) labels.SetLabelsAndAnnotations(found->meta, "namespace");
}

void KubeStores::SetNode(MetaLabels& labels, const std::string& name) const {
  const KubeObject* const found = nodes == nullptr ? nullptr : nodes->Find(name);
  if (found != nullptr) labels.SetObject(found->meta, "node");
}

void KubeStores::SetPod(MetaLabels& labels, const KubeObject& object) const {
  const auto& pod = std::get<KubePod>(object.details);
  labels.Set("pod_ip", pod.ip);
  labels.Set("pod_ready", pod.ready);
  labels.Set("pod_phase", pod.phase);
  labels.Set("pod_node_name", pod.node_name);
  labels.Set("pod_host_ip", pod.host_ip);
  labels.Set("pod_uid", pod.uid);
  labels.SetObject(object.meta, "pod");
  if (!object.meta.controller) return;
  const KubeReference& controller = *object.meta.controller;
  labels.Set("pod_controller_kind", controller.kind);
  labels.Set("pod_controller_name", controller.name);
  const std::string key = KubeKey(object.meta.namespace_name, controller.name);
  if (controller.kind == "ReplicaSet") {
    labels.Set("pod_deployment_name", OwnerName(replica_sets, key, "Deployment"));
  } else if (controller.kind == "Job") {
    if (job_name) labels.Set("pod_job_name", controller.name);
    labels.Set("pod_cronjob_name", OwnerName(jobs, key, "CronJob"));
  }
}

const KubeService* KubeStores::SetService(MetaLabels& labels, const std::string& key) const {
  const KubeObject* const found = services == nullptr ? nullptr : services->Find(key);
  if (found == nullptr) return nullptr;
  labels.Set("namespace", found->meta.namespace_name);
  labels.SetObject(found->meta, "service");
  return &std::get<KubeService>(found->details);
}

const KubeObject* KubeStores::PodOf(const std::optional<KubeReference>& target) const {
  if (pods == nullptr || !target || target->kind != "Pod") return nullptr;
  return pods->Find(KubeKey(target->namespace_name, target->name));
}

std::string ServiceKeyOfSlice(const KubeMeta& meta) {
  for (const auto& [name, value] : meta.labels) {
    if (name == "kubernetes.io/service-name") return KubeKey(meta.namespace_name, value);
  }
  return "";
}

void SetContainer(MetaLabels& labels, const KubeContainer& container, const KubePort& port,
                  const std::string& protocol) {
  labels.Set("pod_container_name", container.name);
  labels.Set("pod_container_image", container.image);
  labels.Set("pod_container_port_name", port.name);
  labels.Set("pod_container_port_number", std::to_string(port.number));
  labels.Set("pod_container_port_protocol", protocol);
  labels.Set("pod_container_init", container.init ? "true" : "false");
}

KubeBuild BuildKubeTargets(KubeRole role, const KubeObject& object, const KubeStores& stores) {
  switch (role) {
    case KubeRole::kNode:
      return BuildNode(object);
    case KubeRole::kPod:
      return BuildPod(object, stores);
    case KubeRole::kService:
      return BuildService(object, stores);
    case KubeRole::kEndpoints:
      return BuildEndpoints(object, stores);
    case KubeRole::kEndpointSlice:
      return BuildEndpointSlice(object, stores);
    case KubeRole::kIngress:
      break;
  }
  return BuildIngress(object, stores);
}

bool DependsOn(KubeRole role, const KubeObject& object, const KubeTouched& touched) {
  if (touched.namespaces.contains(object.meta.namespace_name)) return true;
  switch (role) {
    case KubeRole::kPod:
      return PodDependsOn(object, touched);
    case KubeRole::kEndpoints:
      return EndpointsDependOn(object, touched);
    case KubeRole::kEndpointSlice:
      return SliceDependsOn(object, touched);
    default:
      return false;
  }
}

}  // namespace tributary
