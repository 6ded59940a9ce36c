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

struct EcsTask {
  std::string arn, definition_arn, container_instance_arn, group;
  std::string availability_zone, launch_type, platform_family, platform_version;
  std::string desired_status, last_status, health_status;
  bool has_interface = false;
  EcsInterface interface;
  AwsTags tags;
};

// The ARNs of ListClusters, ListServices and ListTasks; `list` is "clusterArns" and so on.
Result<AwsPage<std::string>> ReadArns(const std::string& json, std::string_view list);
Result<std::vector<EcsCluster>> ReadClusters(const std::string& json);
Result<std::vector<EcsService>> ReadServices(const std::string& json);
Result<std::vector<EcsTask>> ReadTasks(const std::string& json);
// The ids of EC2 instances by the ARNs of container instances.
Result<std::map<std::string, std::string>> ReadContainerInstances(const std::string& json);

}  // namespace tributary
