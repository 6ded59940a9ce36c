#include "agent/discovery/aws/ecs_targets.h"

#include <string_view>

#include "agent/discovery/aws/ec2_targets.h"
#include "common/base/host_port.h"

namespace tributary {
namespace {

constexpr std::string_view kServiceGroup = "service:";

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

}  // namespace

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
