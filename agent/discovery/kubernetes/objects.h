// Objects of Kubernetes' API, as far as targets are made of them: of everything else nothing is
// kept. Names are Kubernetes' own (k8s.io/api core/v1, discovery/v1, networking/v1).
//
// Plain values. Reading is pure, any thread; an error says what of the text is wrong, and nothing
// of what it holds. nlohmann-json is included by objects.cc only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/discovery/kubernetes/resource.h"
#include "common/base/status.h"

namespace tributary {

using KubePairs = std::vector<std::pair<std::string, std::string>>;

// An owner that is the controller, or what an address belongs to.
struct KubeReference {
  std::string kind, namespace_name, name;
  bool operator==(const KubeReference&) const = default;
};

struct KubeMeta {
  std::string name, namespace_name;
  KubePairs labels, annotations;  // sorted by name
  std::optional<KubeReference> controller;
  bool operator==(const KubeMeta&) const = default;
};

struct KubePort {
  std::string name, protocol;
  int64_t number = 0;
  bool operator==(const KubePort&) const = default;
};

struct KubeContainer {
  std::string name, image, id;
  bool init = false;
  std::vector<KubePort> ports;
  bool operator==(const KubeContainer&) const = default;
};

struct KubePod {
  std::string uid, node_name, ip, host_ip, phase;
  std::string ready = "unknown";          // "true", "false" or "unknown"
  std::vector<KubeContainer> containers;  // those that initialize last
  bool operator==(const KubePod&) const = default;
};

struct KubeNode {
  std::string provider_id;
  KubePairs conditions;  // type and status
  KubePairs addresses;   // type and address
  int64_t kubelet_port = 0;
  bool operator==(const KubeNode&) const = default;
};

struct KubeService {
  std::string type, cluster_ip, external_name;
  std::string load_balancer_ips;  // separated by commas
  std::vector<KubePort> ports;
  std::string primary_family;  // of a service of two families: "IPv4" or "IPv6"; else empty
  bool operator==(const KubeService&) const = default;
};

struct KubeEndpointAddress {
  std::string ip, hostname;
  std::optional<std::string> node_name;
  std::optional<KubeReference> target;
  bool operator==(const KubeEndpointAddress&) const = default;
};

struct KubeEndpointSubset {
  std::vector<KubePort> ports;
  std::vector<KubeEndpointAddress> ready, not_ready;
  bool operator==(const KubeEndpointSubset&) const = default;
};

struct KubeEndpoints {
  std::vector<KubeEndpointSubset> subsets;
  bool operator==(const KubeEndpoints&) const = default;
};

// Of a slice; what is absent in the API is absent here, but empty text is absent too.
struct KubeEndpoint {
  std::vector<std::string> addresses;
  std::optional<bool> ready, serving, terminating;
  std::string hostname, zone;
  std::optional<std::string> node_name;
  std::optional<KubeReference> target;
  KubePairs topology;
  bool operator==(const KubeEndpoint&) const = default;
};

struct KubeSlicePort {
  std::string name, protocol, app_protocol;
  std::optional<int64_t> number;
  bool operator==(const KubeSlicePort&) const = default;
};

struct KubeEndpointSlice {
  std::string address_type;
  std::vector<KubeEndpoint> endpoints;
  std::vector<KubeSlicePort> ports;
  bool operator==(const KubeEndpointSlice&) const = default;
};

struct KubeIngressRule {
  std::string host;
  std::vector<std::string> paths;
  bool operator==(const KubeIngressRule&) const = default;
};

struct KubeIngress {
  std::string class_name;
  std::vector<std::string> tls_hosts;
  std::vector<KubeIngressRule> rules;
  bool operator==(const KubeIngress&) const = default;
};

// Namespaces, replica sets and jobs have nothing but their metadata here.
using KubeDetails = std::variant<std::monostate, KubePod, KubeNode, KubeService, KubeEndpoints,
                                 KubeEndpointSlice, KubeIngress>;

struct KubeObject {
  KubeMeta meta;
  KubeDetails details;
  std::string Key() const { return KubeKey(meta.namespace_name, meta.name); }
  bool operator==(const KubeObject&) const = default;
};

// With the version under which the API knows it.
struct KubeVersioned {
  KubeObject object;
  std::string version;
};

// An event of a watch.
struct KubeEvent {
  enum class Type : uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };
  Type type = Type::kError;
  KubeVersioned changed;  // of a bookmark the version only
  int code = 0;           // of an error
  std::string message;    // of an error
};

// What stands around the objects of a list.
struct KubeListEnd {
  std::string version;
  std::string continue_token;  // empty: that was all
};

Result<KubeVersioned> ReadKubeObject(KubeResource resource, std::string_view json);
Result<KubeEvent> ReadKubeEvent(KubeResource resource, std::string_view json);
Result<KubeListEnd> ReadKubeListEnd(std::string_view json);
// What the API says of a request that it refuses; "" if it says nothing.
std::string ReadKubeMessage(std::string_view json);

}  // namespace tributary
