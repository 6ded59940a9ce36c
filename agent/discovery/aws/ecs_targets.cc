#include "agent/discovery/aws/ecs_targets.h"

#include <set>
#include <string_view>

#include "agent/discovery/aws/ec2_targets.h"
#include "common/base/host_port.h"

namespace tributary {
namespace {

constexpr std::string_view kServiceGroup = "service:";
constexpr std::string_view kStopped = "STOPPED";

// Where a task can be reached, and what it runs on.
struct Network {
  std::string mode;  // "awsvpc" or "bridge"; "": neither
  std::string address, public_ip, subnet_id;
  std::string instance_id;                // of EC2; "": none, or not known
  const Ec2Instance* instance = nullptr;  // null: not known
};

std::string FindOr(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

Network NetworkOf(const EcsTask& task, const EcsSurroundings& surroundings) {
  Network network;
  if (!task.container_instance_arn.empty()) {
    network.instance_id = FindOr(surroundings.container_instances, task.container_instance_arn);
    const auto instance = surroundings.instances.find(network.instance_id);
    if (instance != surroundings.instances.end()) network.instance = &instance->second;
  }
  if (task.has_interface) {
    network.mode = "awsvpc";
    network.address = task.interface.private_ip;
    network.subnet_id = task.interface.subnet_id;
    network.public_ip = FindOr(surroundings.public_ips, task.interface.id);
  } else if (!task.container_instance_arn.empty()) {
    network.mode = "bridge";  // or host: the API does not tell them apart
    if (network.instance != nullptr) {
      network.address = network.instance->private_ip;
      network.subnet_id = network.instance->subnet_id;
      network.public_ip = network.instance->public_ip;
    }
  }
  return network;
}

void AddTaskLabels(const EcsTask& task, Labels& labels) {
  labels.Set("__meta_ecs_task_group", task.group);
  labels.Set("__meta_ecs_task_arn", task.arn);
  labels.Set("__meta_ecs_task_definition", task.definition_arn);
  labels.Set("__meta_ecs_availability_zone", task.availability_zone);
  labels.Set("__meta_ecs_launch_type", task.launch_type);
  labels.Set("__meta_ecs_desired_status", task.desired_status);
  labels.Set("__meta_ecs_last_status", task.last_status);
  labels.Set("__meta_ecs_health_status", task.health_status);
  labels.Set("__meta_ecs_platform_family", task.platform_family);
  labels.Set("__meta_ecs_platform_version", task.platform_version);
  labels.Set("__meta_ecs_container_instance_arn", task.container_instance_arn);
}

void AddNetworkLabels(const Network& network, Labels& labels) {
  labels.Set("__meta_ecs_network_mode", network.mode);
  labels.Set("__meta_ecs_ip_address", network.address);
  labels.Set("__meta_ecs_subnet_id", network.subnet_id);
  labels.Set("__meta_ecs_public_ip", network.public_ip);
  labels.Set("__meta_ecs_ec2_instance_id", network.instance_id);
  if (network.instance == nullptr) return;
  labels.Set("__meta_ecs_ec2_instance_type", network.instance->type);
  labels.Set("__meta_ecs_ec2_instance_private_ip", network.instance->private_ip);
  labels.Set("__meta_ecs_ec2_instance_public_ip", network.instance->public_ip);
}

void AddServiceLabels(const EcsTask& task, const EcsSurroundings& surroundings, Labels& labels) {
  if (!task.group.starts_with(kServiceGroup)) return;
  const auto found = surroundings.services.find(task.group.substr(kServiceGroup.size()));
  if (found == surroundings.services.end()) return;
  const EcsService& service = found->second;
  labels.Set("__meta_ecs_service", service.name);
  labels.Set("__meta_ecs_service_arn", service.arn);
  labels.Set("__meta_ecs_service_status", service.status);
  AddTagLabels(service.tags, "__meta_ecs_tag_service_", labels);
}

std::string ModeOf(const EcsTaskDefinition& definition, const Network& network) {
  if (network.mode == "awsvpc" || definition.network_mode.empty()) return network.mode;
  return definition.network_mode;
}

// The ports at `network`'s address behind which the container's own is.
std::vector<int> ReachablePorts(const EcsRunningContainer& container, const std::string& mode,
                                int port) {
  if (mode == "awsvpc" || mode == "host") return {port};
  std::set<int> ports;  // IPv4 and IPv6 are bound by themselves
  for (const EcsRunningContainer::Binding& binding : container.bindings) {
    if (binding.container_port == port) ports.insert(binding.host_port);
  }
  return {ports.begin(), ports.end()};
}

}  // namespace

std::vector<TargetGroup> MakeEcsContainerTargets(const EcsTask& task,
                                                 const EcsTaskDefinition& definition,
                                                 const EcsSurroundings& surroundings) {
  std::vector<TargetGroup> groups;
  const std::optional<TargetGroup> of_task = MakeEcsTarget(task, surroundings);
  if (!of_task) return groups;
  const Network network = NetworkOf(task, surroundings);
  const std::string mode = ModeOf(definition, network);
  for (const EcsRunningContainer& running : task.containers) {
    const auto defined = definition.containers.find(running.name);
    if (defined == definition.containers.end() || running.last_status == kStopped) continue;
    EcsContainer container = defined->second;
    container.id = running.id;
    container.image = running.image;
    container.health_status = running.health_status;
    for (const int port : ScrapePorts(container)) {
      for (const int reachable : ReachablePorts(running, mode, port)) {
        TargetGroup& group = groups.emplace_back(*of_task);
        group.targets = {JoinHostPort(network.address, reachable)};
        group.labels.Set("__meta_ecs_network_mode", mode);
        AddContainerLabels(container, port, group.labels);
        ApplyExporterLabels(container, group.labels);
      }
    }
  }
  return groups;
}

std::optional<TargetGroup> MakeEcsTarget(const EcsTask& task, const EcsSurroundings& surroundings) {
  const Network network = NetworkOf(task, surroundings);
  if (network.address.empty()) return std::nullopt;
  TargetGroup group;
  group.targets = {JoinHostPort(network.address, surroundings.port)};
  group.source = surroundings.region;
  Labels& labels = group.labels;
  labels.Set("__meta_ecs_region", surroundings.region);
  labels.Set("__meta_ecs_cluster", surroundings.cluster.name);
  labels.Set("__meta_ecs_cluster_arn", surroundings.cluster.arn);
  AddTaskLabels(task, labels);
  AddNetworkLabels(network, labels);
  AddTagLabels(surroundings.cluster.tags, "__meta_ecs_tag_cluster_", labels);
  AddServiceLabels(task, surroundings, labels);
  AddTagLabels(task.tags, "__meta_ecs_tag_task_", labels);
  if (network.instance != nullptr) {
    AddTagLabels(network.instance->tags, "__meta_ecs_tag_ec2_", labels);
  }
  return group;
}

}  // namespace tributary
