// discovery/kubernetes/endpoints.go: a target for each port of each address, and for the other
// ports of the pods behind them.
#include "agent/discovery/kubernetes/roles.h"
#include "agent/discovery/kubernetes/seen_pods.h"
#include "common/base/host_port.h"

namespace tributary {
namespace {

class EndpointsBuilder {
 public:
  EndpointsBuilder(const KubeObject& object, const KubeStores& stores)
      : object_(object), stores_(stores), source_("endpoints/" + object.Key()) {
    common_.Set("namespace", object.meta.namespace_name);
    stores.SetService(common_, object.Key());
    common_.SetObject(object.meta, "endpoints");
    stores.SetNamespace(common_, object.meta.namespace_name);
  }

  KubeBuild Build() {
    for (const KubeEndpointSubset& subset : std::get<KubeEndpoints>(object_.details).subsets) {
      for (const KubePort& port : subset.ports) {
        for (const KubeEndpointAddress& address : subset.ready) Add(address, port, "true");
        for (const KubeEndpointAddress& address : subset.not_ready) Add(address, port, "false");
      }
    }
    pods_.AppendOtherPorts(common_, stores_, source_, build_.groups);
    CheckCapacity();
    return std::move(build_);
  }

 private:
  void Add(const KubeEndpointAddress& address, const KubePort& port, std::string_view ready) {
    MetaLabels labels = common_;
    labels.Set("endpoint_port_name", port.name);
    labels.Set("endpoint_port_protocol", port.protocol);
    labels.Set("endpoint_ready", ready);
    if (address.target) {
      labels.Set("endpoint_address_target_kind", address.target->kind);
      labels.Set("endpoint_address_target_name", address.target->name);
    }
    if (address.node_name) labels.Set("endpoint_node_name", *address.node_name);
    labels.Set("endpoint_hostname", address.hostname);
    if (address.node_name) {
      stores_.SetNode(labels, *address.node_name);
    } else if (address.target && address.target->kind == "Node") {
      stores_.SetNode(labels, address.target->name);
    }
    if (const KubeObject* const pod = stores_.PodOf(address.target)) {
      pods_.See(*pod, port.number);
      stores_.SetPod(labels, *pod);
      for (const KubeContainer& container : std::get<KubePod>(pod->details).containers) {
        for (const KubePort& known : container.ports) {
          if (known.number != port.number) continue;
          SetContainer(labels, container, known, port.protocol);
          break;
        }
      }
    }
    build_.groups.push_back(labels.Group(source_, JoinHostPort(address.ip, port.number)));
  }

  void CheckCapacity() {
    for (const auto& [name, value] : object_.meta.labels) CheckCapacityLabel(name, value);
    for (const auto& [name, value] : object_.meta.annotations) CheckCapacityLabel(name, value);
  }
  void CheckCapacityLabel(const std::string& name, const std::string& value) {
    if (name != "endpoints.kubernetes.io/over-capacity") return;
    if (value != "truncated" && value != "warning") return;
    build_.problem = "the endpoints \"" + object_.Key() + "\" have more than 1000 addresses" +
                     (value == "truncated" ? ", of which not all are there" : "") +
                     ": use role endpointslice";
  }

  const KubeObject& object_;
  const KubeStores& stores_;
  const std::string source_;
  MetaLabels common_;
  SeenPods pods_;
  KubeBuild build_;
};

}  // namespace

KubeBuild BuildEndpoints(const KubeObject& object, const KubeStores& stores) {
  return EndpointsBuilder(object, stores).Build();
}

}  // namespace tributary
