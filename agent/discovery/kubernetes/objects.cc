#include "agent/discovery/kubernetes/objects.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "common/base/utf8.h"

namespace tributary {
namespace {

using Json = nlohmann::json;
using JsonMap = Json::object_t;
using JsonList = Json::array_t;

// All of these throw Json::exception where something else stands than belongs there. Null is
// absent, as in Go.

const Json* Find(const Json& json, const char* name) {
  if (json.is_null()) return nullptr;
  const auto& map = json.get_ref<const JsonMap&>();
  const auto found = map.find(name);
  return found == map.end() || found->second.is_null() ? nullptr : &found->second;
}

const Json& Section(const Json& json, const char* name) {
  static const Json kNone;
  const Json* const found = Find(json, name);
  return found == nullptr ? kNone : *found;
}

std::string Text(const Json& json, const char* name) {
  const Json* const found = Find(json, name);
  return found == nullptr ? std::string() : found->get_ref<const std::string&>();
}

std::optional<std::string> OptionalText(const Json& json, const char* name) {
  const Json* const found = Find(json, name);
  if (found == nullptr) return std::nullopt;
  return found->get_ref<const std::string&>();
}

std::optional<bool> OptionalFlag(const Json& json, const char* name) {
  const Json* const found = Find(json, name);
  if (found == nullptr) return std::nullopt;
  return found->get_ref<const bool&>();
}

std::optional<int64_t> OptionalNumber(const Json& json, const char* name) {
  const Json* const found = Find(json, name);
  if (found == nullptr) return std::nullopt;
  return found->get<int64_t>();
}
int64_t Number(const Json& json, const char* name) {
  return OptionalNumber(json, name).value_or(0);
}

const JsonList& List(const Json& json, const char* name) {
  static const JsonList kNone;
  const Json* const found = Find(json, name);
  return found == nullptr ? kNone : found->get_ref<const JsonList&>();
}

std::vector<std::string> Texts(const Json& json, const char* name) {
  std::vector<std::string> texts;
  for (const Json& item : List(json, name)) texts.push_back(item.get<std::string>());
  return texts;
}

KubePairs Pairs(const Json& json, const char* name) {
  KubePairs pairs;
  const Json* const found = Find(json, name);
  if (found == nullptr) return pairs;
  const auto& map = found->get_ref<const JsonMap&>();
  pairs.reserve(map.size());
  for (const auto& [key, value] : map) {
    pairs.emplace_back(key, value.is_null() ? std::string() : value.get<std::string>());
  }
  return pairs;
}

std::optional<KubeReference> OptionalReference(const Json& json, const char* name) {
  const Json* const found = Find(json, name);
  if (found == nullptr) return std::nullopt;
  return KubeReference{Text(*found, "kind"), Text(*found, "namespace"), Text(*found, "name")};
}

KubeMeta ReadMeta(const Json& meta) {
  KubeMeta read;
  read.name = Text(meta, "name");
  read.namespace_name = Text(meta, "namespace");
  read.labels = Pairs(meta, "labels");
  read.annotations = Pairs(meta, "annotations");
  for (const Json& owner : List(meta, "ownerReferences")) {
    if (!OptionalFlag(owner, "controller").value_or(false)) continue;
    read.controller = KubeReference{Text(owner, "kind"), "", Text(owner, "name")};
    break;
  }
  return read;
}

std::vector<KubePort> ReadPorts(const Json& json, const char* number_name) {
  std::vector<KubePort> ports;
  for (const Json& port : List(json, "ports")) {
    ports.push_back({Text(port, "name"), Text(port, "protocol"), Number(port, number_name)});
  }
  return ports;
}

void ReadContainers(const Json& pod, bool init, std::vector<KubeContainer>& containers) {
  const JsonList& statuses =
      List(Section(pod, "status"), init ? "initContainerStatuses" : "containerStatuses");
  for (const Json& json : List(Section(pod, "spec"), init ? "initContainers" : "containers")) {
    KubeContainer container;
    container.name = Text(json, "name");
    container.image = Text(json, "image");
    container.init = init;
    container.ports = ReadPorts(json, "containerPort");
    const auto status = std::find_if(statuses.begin(), statuses.end(), [&](const Json& s) {
      return Text(s, "name") == container.name;
    });
    if (status != statuses.end()) container.id = Text(*status, "containerID");
    containers.push_back(std::move(container));
  }
}

KubePod ReadPod(const Json& json) {
  KubePod pod;
  const Json& status = Section(json, "status");
  pod.uid = Text(Section(json, "metadata"), "uid");
  pod.node_name = Text(Section(json, "spec"), "nodeName");
  pod.ip = Text(status, "podIP");
  pod.host_ip = Text(status, "hostIP");
  pod.phase = Text(status, "phase");
  for (const Json& condition : List(status, "conditions")) {
    if (Text(condition, "type") != "Ready") continue;
    pod.ready = ToLowerUtf8(Text(condition, "status"));
    break;
  }
  ReadContainers(json, false, pod.containers);
  ReadContainers(json, true, pod.containers);
  return pod;
}

KubeNode ReadNode(const Json& json) {
  KubeNode node;
  const Json& status = Section(json, "status");
  node.provider_id = Text(Section(json, "spec"), "providerID");
  for (const Json& condition : List(status, "conditions")) {
    node.conditions.emplace_back(Text(condition, "type"), Text(condition, "status"));
  }
  for (const Json& address : List(status, "addresses")) {
    node.addresses.emplace_back(Text(address, "type"), Text(address, "address"));
  }
  node.kubelet_port =
      Number(Section(Section(status, "daemonEndpoints"), "kubeletEndpoint"), "Port");
  return node;
}

// Those of the status, else what was asked for.
std::string LoadBalancerIps(const Json& json) {
  std::string ips;
  for (const Json& ingress : List(Section(Section(json, "status"), "loadBalancer"), "ingress")) {
    const std::string ip = Text(ingress, "ip");
    if (!ip.empty()) ips += (ips.empty() ? "" : ",") + ip;
  }
  return ips.empty() ? Text(Section(json, "spec"), "loadBalancerIP") : ips;
}

KubeService ReadService(const Json& json) {
  KubeService service;
  const Json& spec = Section(json, "spec");
  service.type = Text(spec, "type");
  service.cluster_ip = Text(spec, "clusterIP");
  service.external_name = Text(spec, "externalName");
  service.load_balancer_ips = LoadBalancerIps(json);
  service.ports = ReadPorts(spec, "port");
  const std::string policy = Text(spec, "ipFamilyPolicy");
  const std::vector<std::string> families = Texts(spec, "ipFamilies");
  if ((policy == "PreferDualStack" || policy == "RequireDualStack") && !families.empty()) {
    service.primary_family = families[0];
  }
  return service;
}

std::vector<KubeEndpointAddress> ReadAddresses(const Json& subset, const char* name) {
  std::vector<KubeEndpointAddress> addresses;
  for (const Json& address : List(subset, name)) {
    addresses.push_back({Text(address, "ip"), Text(address, "hostname"),
                         OptionalText(address, "nodeName"),
                         OptionalReference(address, "targetRef")});
  }
  return addresses;
}

KubeEndpoints ReadEndpoints(const Json& json) {
  KubeEndpoints endpoints;
  for (const Json& subset : List(json, "subsets")) {
    endpoints.subsets.push_back({ReadPorts(subset, "port"), ReadAddresses(subset, "addresses"),
                                 ReadAddresses(subset, "notReadyAddresses")});
  }
  return endpoints;
}

KubeEndpoint ReadEndpoint(const Json& json) {
  KubeEndpoint endpoint;
  const Json& conditions = Section(json, "conditions");
  endpoint.addresses = Texts(json, "addresses");
  endpoint.ready = OptionalFlag(conditions, "ready");
  endpoint.serving = OptionalFlag(conditions, "serving");
  endpoint.terminating = OptionalFlag(conditions, "terminating");
  endpoint.hostname = Text(json, "hostname");
  endpoint.zone = Text(json, "zone");
  endpoint.node_name = OptionalText(json, "nodeName");
  endpoint.target = OptionalReference(json, "targetRef");
  endpoint.topology = Pairs(json, "deprecatedTopology");
  return endpoint;
}

KubeEndpointSlice ReadEndpointSlice(const Json& json) {
  KubeEndpointSlice slice;
  slice.address_type = Text(json, "addressType");
  for (const Json& endpoint : List(json, "endpoints")) {
    slice.endpoints.push_back(ReadEndpoint(endpoint));
  }
  for (const Json& port : List(json, "ports")) {
    slice.ports.push_back({Text(port, "name"), Text(port, "protocol"), Text(port, "appProtocol"),
                           OptionalNumber(port, "port")});
  }
  return slice;
}

KubeIngress ReadIngress(const Json& json) {
  KubeIngress ingress;
  const Json& spec = Section(json, "spec");
  ingress.class_name = Text(spec, "ingressClassName");
  for (const Json& tls : List(spec, "tls")) {
    for (std::string& host : Texts(tls, "hosts")) ingress.tls_hosts.push_back(std::move(host));
  }
  for (const Json& json_rule : List(spec, "rules")) {
    KubeIngressRule rule;
    rule.host = Text(json_rule, "host");
    if (const Json* const http = Find(json_rule, "http")) {
      for (const Json& path : List(*http, "paths")) {
        rule.paths.push_back(Text(path, "path"));
        if (rule.paths.back().empty()) rule.paths.back() = "/";
      }
    } else {
      rule.paths = {"/"};
    }
    ingress.rules.push_back(std::move(rule));
  }
  return ingress;
}

KubeDetails ReadDetails(KubeResource resource, const Json& json) {
  switch (resource) {
    case KubeResource::kPods:
      return ReadPod(json);
    case KubeResource::kNodes:
      return ReadNode(json);
    case KubeResource::kServices:
      return ReadService(json);
    case KubeResource::kEndpoints:
      return ReadEndpoints(json);
    case KubeResource::kEndpointSlices:
      return ReadEndpointSlice(json);
    case KubeResource::kIngresses:
      return ReadIngress(json);
    default:
      return std::monostate();
  }
}

KubeVersioned ReadObject(KubeResource resource, const Json& json) {
  const Json& meta = Section(json, "metadata");
  return {{ReadMeta(meta), ReadDetails(resource, json)}, Text(meta, "resourceVersion")};
}

KubeEvent ReadEvent(KubeResource resource, const Json& json) {
  KubeEvent event;
  const std::string type = Text(json, "type");
  const Json& object = Section(json, "object");
  if (type == "ERROR") {
    event.code = static_cast<int>(Number(object, "code"));
    event.message = Text(object, "message");
    return event;
  }
  if (type == "BOOKMARK") {
    event.type = KubeEvent::Type::kBookmark;
    event.changed.version = Text(Section(object, "metadata"), "resourceVersion");
    return event;
  }
  event.type = type == "ADDED"      ? KubeEvent::Type::kAdded
               : type == "MODIFIED" ? KubeEvent::Type::kModified
               : type == "DELETED"  ? KubeEvent::Type::kDeleted
                                    : KubeEvent::Type::kError;
  if (event.type == KubeEvent::Type::kError) {
    event.message = "an event of an unknown type";
  } else {
    event.changed = ReadObject(resource, object);
  }
  return event;
}

// What nlohmann-json says may quote the text, which may be anything.
std::string Reason(const Json::exception& error) {
  return dynamic_cast<const Json::parse_error*>(&error) != nullptr
             ? "no JSON"
             : "JSON of another form than Kubernetes' (" + std::to_string(error.id) + ")";
}

}  // namespace

Result<KubeVersioned> ReadKubeObject(KubeResource resource, std::string_view json) {
  try {
    KubeVersioned read = ReadObject(resource, Json::parse(json));
    if (read.object.meta.name.empty()) return Fail("an object without a name");
    return read;
  } catch (const Json::exception& error) {
    return Fail("an object is " + Reason(error));
  }
}

Result<KubeEvent> ReadKubeEvent(KubeResource resource, std::string_view json) {
  try {
    KubeEvent event = ReadEvent(resource, Json::parse(json));
    const bool named = event.type >= KubeEvent::Type::kBookmark;
    if (!named && event.changed.object.meta.name.empty()) return Fail("an object without a name");
    return event;
  } catch (const Json::exception& error) {
    return Fail("an event is " + Reason(error));
  }
}

Result<KubeListEnd> ReadKubeListEnd(std::string_view json) {
  try {
    const Json list = Json::parse(json);
    const Json& meta = Section(list, "metadata");
    if (!List(list, "items").empty()) return Fail("a list of something else than objects");
    KubeListEnd end{Text(meta, "resourceVersion"), Text(meta, "continue")};
    if (end.version.empty()) return Fail("no list of Kubernetes' objects");
    return end;
  } catch (const Json::exception& error) {
    return Fail("the list is " + Reason(error));
  }
}

std::string ReadKubeMessage(std::string_view json) {
  try {
    return Text(Json::parse(json), "message");
  } catch (const Json::exception&) {
    return "";
  }
}

}  // namespace tributary
