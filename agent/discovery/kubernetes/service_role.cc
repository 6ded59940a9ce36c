// discovery/kubernetes/service.go: a target for each port of a service.
#include "agent/discovery/kubernetes/roles.h"
#include "common/base/host_port.h"

namespace tributary {

KubeBuild BuildService(const KubeObject& object, const KubeStores& stores) {
  KubeBuild build;
  const auto& service = std::get<KubeService>(object.details);
  MetaLabels common;
  common.Set("namespace", object.meta.namespace_name);
  common.SetObject(object.meta, "service");
  stores.SetNamespace(common, object.meta.namespace_name);
  common.Set("service_type", service.type);
  if (service.type == "ExternalName") {
    common.Set("service_external_name", service.external_name);
  } else {
    common.Set("service_cluster_ip", service.cluster_ip);
  }
  if (service.type == "LoadBalancer") {
    common.Set("service_loadbalancer_ip", service.load_balancer_ips);
  }
  const std::string host = object.meta.name + "." + object.meta.namespace_name + ".svc";
  for (const KubePort& port : service.ports) {
    MetaLabels labels = common;
    labels.Set("service_port_name", port.name);
    labels.Set("service_port_number", std::to_string(port.number));
    labels.Set("service_port_protocol", port.protocol);
    build.groups.push_back(labels.Group("svc/" + object.Key(), JoinHostPort(host, port.number)));
  }
  return build;
}

}  // namespace tributary
