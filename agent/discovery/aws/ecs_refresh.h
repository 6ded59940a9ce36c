// One look at ECS: its clusters, their services and tasks, what the tasks run on and, for targets
// of containers, what they were made of. Follows prometheus/prometheus discovery/aws/ecs.go (3.16),
// without the call that only tries the credentials.
//
// What fails for all clusters fails the whole; what fails for one is a failed part. Lists have at
// most kPagesMax pages of 100. Control loop only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/discovery/aws/aws_provider.h"
#include "agent/discovery/aws/call_queue.h"
#include "agent/discovery/aws/ecs_targets.h"
#include "common/aws/api_client.h"
#include "common/config/model.h"

namespace tributary {

class EcsRefresh {
 public:
  static constexpr size_t kPagesMax = 1000;

  struct Found {
    std::map<std::string, std::vector<TargetGroup>> parts;  // by cluster, of those with tasks
    std::set<std::string> failed;                           // clusters
    std::optional<AwsFailure> failure;  // the first; with none in `failed`: of the whole
    std::set<std::string> definitions;  // ARNs of those that were looked at
  };
  // By ARN, which names a revision: that never changes.
  using Definitions = std::map<std::string, EcsTaskDefinition>;
  using Done = std::function<void(Found found)>;

  // Client, configuration and definitions must outlive it, and it has to live until `done` has
  // returned or the client is gone. `done` runs later, once. Definitions that are not known yet are
  // asked for, and added.
  EcsRefresh(AwsApiClient& api, const EcsSdConfig& config, Definitions& definitions, Done done);
  void Start();

 private:
  using GroupPtr = AwsCallQueue::GroupPtr;
  struct Cluster {
    std::string given;  // ARN or name, as it was asked for
    std::vector<std::string> service_arns, task_arns;
    std::vector<EcsTask> tasks;
    EcsSurroundings surroundings;
  };
  using ClusterPtr = std::shared_ptr<Cluster>;
  struct ArnList {
    std::string action, field;
    std::string cluster;  // "": of none
    std::vector<std::string>* arns;
    size_t pages = 0;
  };

  void AskArns(const GroupPtr& group, ArnList list, const std::string& token);
  void AskClusters(const std::vector<std::string>& names);
  void TakeCluster(EcsCluster cluster);
  void AskEachCluster();
  void AskTasks(const ClusterPtr& cluster);
  void AskHosts(const ClusterPtr& cluster);
  void AskContainerInstances(const GroupPtr& group, const ClusterPtr& cluster);
  void AskInterfaces(const GroupPtr& group, const ClusterPtr& cluster);
  void AskDefinitions(const GroupPtr& group, const ClusterPtr& cluster);
  void AskInstances(const ClusterPtr& cluster);
  void AskEc2(const GroupPtr& group, const std::string& action, const AwsParameters& parameters,
              const std::function<Result<std::string>(const std::string& answer)>& take,
              size_t pages = 0);
  void MakeTargets(const Cluster& cluster);
  void FailCluster(const Cluster& cluster, const AwsFailure& failure);
  void LeaveCluster();

  AwsApiClient& api_;
  const EcsSdConfig& config_;
  Definitions& definitions_;
  const Done done_;
  AwsCallQueue queue_;
  std::vector<std::string> listed_;
  std::map<std::string, ClusterPtr> clusters_;  // by `given`
  size_t clusters_left_ = 1;
  Found found_;
};

}  // namespace tributary
