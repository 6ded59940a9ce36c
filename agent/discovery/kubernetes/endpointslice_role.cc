// discovery/kubernetes/endpointslice.go: a target for each port of each address, and for the other
// ports of the pods behind them.
#include "agent/discovery/kubernetes/roles.h"
#include "agent/discovery/kubernetes/seen_pods.h"
#include "common/base/host_port.h"

namespace tributary {
namespace {

void SetFlag(MetaLabels& labels, std::string_view name, std::optional<bool> flag) {
  if (flag) labels.Set(name, *flag ? "true" : "false");
}

class SliceBuilder {
 public:
  SliceBuilder(const KubeObject& object, const KubeStores& stores)
      : object_(object),
        slice_(std::get<KubeEndpointSlice>(object.details)),
        stores_(stores),
        source_("endpointslice/" + object.Key()) {
    common_.Set("namespace", object.meta.namespace_name);
    common_.Set("endpointslice_address_type", slice_.address_type);
    common_.SetObject(object.meta, "endpointslice");
    service_ = stores.SetService(common_, ServiceKeyOfSlice(object.meta));
    stores.SetNamespace(common_, object.meta.namespace_name);
  }

  KubeBuild Build() {
    // Of a service of two families, the slices of the second are the same targets once more.
    if (service_ != nullptr && !service_->primary_family.empty() &&
        service_->primary_family != slice_.address_type) {
      return {};
    }
    for (const KubeEndpoint& endpoint : slice_.endpoints) {
      for (const KubeSlicePort& port : slice_.ports) {
        for (const std::string& address : endpoint.addresses) Add(address, endpoint, port);
      }
    }
    pods_.AppendOtherPorts(common_, stores_, source_, build_.groups);
    return std::move(build_);
  }

 private:
  void Add(const std::string& address, const KubeEndpoint& endpoint, const KubeSlicePort& port) {
    MetaLabels labels = common_;
    labels.Set("endpointslice_port_name", port.name);
    labels.Set("endpointslice_port_protocol", port.protocol);
    labels.Set("endpointslice_port_app_protocol", port.app_protocol);
    if (port.number) labels.Set("endpointslice_port", std::to_string(*port.number));
    SetEndpoint(labels, endpoint);
    if (const KubeObject* const pod = stores_.PodOf(endpoint.target)) {
      SetPodOfPort(labels, *pod, port);
    }
    build_.groups.push_back(
        labels.Group(source_, port.number ? JoinHostPort(address, *port.number) : address));
  }

  void SetEndpoint(MetaLabels& labels, const KubeEndpoint& endpoint) {
    SetFlag(labels, "endpointslice_endpoint_conditions_ready", endpoint.ready);
    SetFlag(labels, "endpointslice_endpoint_conditions_serving", endpoint.serving);
    SetFlag(labels, "endpointslice_endpoint_conditions_terminating", endpoint.terminating);
    labels.Set("endpointslice_endpoint_hostname", endpoint.hostname);
    if (endpoint.target) {
      labels.Set("endpointslice_address_target_kind", endpoint.target->kind);
      labels.Set("endpointslice_address_target_name", endpoint.target->name);
    }
    if (endpoint.node_name) labels.Set("endpointslice_endpoint_node_name", *endpoint.node_name);
    labels.Set("endpointslice_endpoint_zone", endpoint.zone);
    for (const auto& [key, value] : endpoint.topology) {
      const std::string name = SanitizeLabelName(key);
      labels.Set("endpointslice_endpoint_topology_" + name, value);
      labels.Set("endpointslice_endpoint_topology_present_" + name, "true");
    }
    if (endpoint.target && endpoint.target->kind == "Node") {
      stores_.SetNode(labels, endpoint.target->name);
    } else if (endpoint.node_name) {
      stores_.SetNode(labels, *endpoint.node_name);
    }
  }

  void SetPodOfPort(MetaLabels& labels, const KubeObject& pod, const KubeSlicePort& port) {
    pods_.See(pod, port.number);
    stores_.SetPod(labels, pod);
    if (!port.number) return;
    for (const KubeContainer& container : std::get<KubePod>(pod.details).containers) {
      for (const KubePort& known : container.ports) {
        if (known.number != *port.number) continue;
        SetContainer(labels, container, known, known.protocol);
        break;
      }
    }
  }

  const KubeObject& object_;
  const KubeEndpointSlice& slice_;
  const KubeStores& stores_;
  const std::string source_;
  MetaLabels common_;
  const KubeService* service_ = nullptr;
  SeenPods pods_;
  KubeBuild build_;
};

}  // namespace

KubeBuild BuildEndpointSlice(const KubeObject& object, const KubeStores& stores) {
  return SliceBuilder(object, stores).Build();
}

}  // namespace tributary
