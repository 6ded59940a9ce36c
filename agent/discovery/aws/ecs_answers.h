// What ECS' API answers, as far as discovery looks at it. Source: the ECS API, version 2014-11-13.
//
// Pure functions. Absent, null and empty fields are the same, ""; other fields are not looked at.
// An error says why the answer is not what was asked for.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/aws/ec2_answers.h"
#include "agent/discovery/aws/ecs_container.h"
#include "common/base/status.h"

namespace tributary {

struct EcsCluster {
  std::string arn, name;
  AwsTags tags;
};

struct EcsService {
  std::string arn, name, status;
  AwsTags tags;
};

// The first network interface that is attached to a task.
struct EcsInterface {
  std::string id, private_ip, subnet_id;
};

// A container of a task, as it runs.
struct EcsRunningContainer {
  struct Binding {
    int container_port = 0, host_port = 0;
  };
  std::string id, name, image, last_status, health_status;
  std::vector<Binding> bindings;  // of TCP ports to those of the instance
};

struct EcsTask {
  std::string arn, definition_arn, container_instance_arn, group;
  std::string availability_zone, launch_type, platform_family, platform_version;
  std::string desired_status, last_status, health_status;
  bool has_interface = false;
  EcsInterface interface;
  AwsTags tags;
  std::vector<EcsRunningContainer> containers;
};

// What is the same for all tasks of a revision.
struct EcsTaskDefinition {
  std::string network_mode;  // "": the default of the platform
  // By name: their Docker labels and TCP ports.
  std::map<std::string, EcsContainer> containers;
};

// The ARNs of ListClusters, ListServices and ListTasks; `list` is "clusterArns" and so on.
Result<AwsPage<std::string>> ReadArns(const std::string& json, std::string_view list);
Result<std::vector<EcsCluster>> ReadClusters(const std::string& json);
Result<std::vector<EcsService>> ReadServices(const std::string& json);
Result<std::vector<EcsTask>> ReadTasks(const std::string& json);
Result<EcsTaskDefinition> ReadTaskDefinition(const std::string& json);
// The ids of EC2 instances by the ARNs of container instances.
Result<std::map<std::string, std::string>> ReadContainerInstances(const std::string& json);

}  // namespace tributary
