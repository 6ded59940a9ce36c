// Targets of ECS' tasks, one each. Follows prometheus/prometheus discovery/aws/ecs.go (3.16).
//
// Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/discovery/aws/ec2_answers.h"
#include "agent/discovery/aws/ecs_answers.h"
#include "common/config/model.h"

namespace tributary {

// A cluster with what its tasks run on.
struct EcsSurroundings {
  std::string region;
  int64_t port = 80;
  EcsCluster cluster;
  std::map<std::string, EcsService> services;              // by name
  std::map<std::string, std::string> container_instances;  // ids of EC2 instances by ARN
  std::map<std::string, Ec2Instance> instances;            // by id
  std::map<std::string, std::string> public_ips;           // by id of the network interface
};

// Nullopt for a task without an address.
std::optional<TargetGroup> MakeEcsTarget(const EcsTask& task, const EcsSurroundings& surroundings);

}  // namespace tributary
