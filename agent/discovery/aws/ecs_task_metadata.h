// What the metadata endpoint tells a container of ECS about its own task and its siblings (task
// metadata endpoint version 4, of the ECS developer guide): no rights are needed to ask it.
//
// Pure functions. Fields that are missing are empty, as the endpoint fills them in while a task
// starts. Errors continue "the metadata endpoint ...".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/discovery/aws/ecs_container.h"
#include "agent/telemetry/metric_sink.h"
#include "common/base/status.h"
#include "common/config/model.h"

namespace tributary {

struct EcsTaskContainer : EcsContainer {
  std::string network_mode, address;
};

struct EcsOwnTask {
  std::string cluster, arn, family, revision, service, availability_zone, launch_type;
  std::string desired_status, known_status;
  std::optional<double> cpu_limit;           // vCPU
  std::optional<double> memory_limit_mib;    // of the task
  std::vector<EcsTaskContainer> containers;  // those that do not only hold the network
};

// Docker's statistics of a container.
struct EcsContainerStats {
  struct Interface {
    double received_bytes = 0, received_packets = 0, received_errors = 0, received_drops = 0;
    double sent_bytes = 0, sent_packets = 0, sent_errors = 0, sent_drops = 0;
  };
  std::optional<double> cpu_seconds, memory_bytes, working_set_bytes, memory_limit_bytes;
  std::optional<double> read_bytes, written_bytes;
  std::map<std::string, Interface> interfaces;
};
using EcsTaskStats = std::map<std::string, EcsContainerStats>;  // by the container's id

// The id of the container that asks.
Result<std::string> ReadOwnContainerId(const std::string& json);
Result<EcsOwnTask> ReadOwnTask(const std::string& json);
Result<EcsTaskStats> ReadTaskStats(const std::string& json);

// A group with one target for each port where a container other than `own_id` may be scraped
// (ecs_container.h). In the network modes awsvpc and host at 127.0.0.1, which all containers share.
std::vector<TargetGroup> MakeSiblingTargets(const EcsOwnTask& task, const std::string& own_id);

// container_* as of cAdvisor, and ecs_task_*: of all containers, the agent's too.
void CollectTaskStats(const EcsOwnTask& task, const EcsTaskStats& stats, MetricSink& sink);

}  // namespace tributary
