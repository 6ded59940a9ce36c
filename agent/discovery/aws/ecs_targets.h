// Targets of ECS' tasks: one each, as prometheus/prometheus discovery/aws/ecs.go (3.16) has them,
// or one for each port of their containers, which is Tributary's own.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

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

// For each container that has not ended, where it may be scraped (ecs_container.h) and can be
// reached: in the network mode awsvpc at the task's address, in host at the instance's, in bridge
// at those ports of the instance that are bound to its own, whichever they are now. The labels are
// those of the task and of the container. A container that the definition does not name is none of
// the task's author.
std::vector<TargetGroup> MakeEcsContainerTargets(const EcsTask& task,
                                                 const EcsTaskDefinition& definition,
                                                 const EcsSurroundings& surroundings);

}  // namespace tributary
