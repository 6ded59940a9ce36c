#include "agent/discovery/aws/ecs_refresh.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/discovery/aws/ecs_answers.h"

namespace tributary {
namespace {

using Json = nlohmann::json;

// What one call may ask for.
constexpr size_t kArnsMax = 100;
constexpr size_t kServicesMax = 10;
constexpr size_t kIdsMax = 500;

// Text that no JSON can hold is replaced rather than thrown at.
std::string Dump(const Json& body) {
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <typename Take>
void ForEachBatch(const std::vector<std::string>& all, size_t size, const Take& take) {
  for (size_t i = 0; i < all.size(); i += size) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(i);
    take(std::vector<std::string>(begin,
                                  begin + static_cast<ptrdiff_t>(std::min(size, all.size() - i))));
  }
}

Status NoEnd() { return Fail("gave a list that has no end"); }

}  // namespace

EcsRefresh::EcsRefresh(AwsApiClient& api, const EcsSdConfig& config, Definitions& definitions,
                       Done done)
    : api_(api),
      config_(config),
      definitions_(definitions),
      done_(std::move(done)),
      queue_(api, static_cast<size_t>(config.request_concurrency)) {}

void EcsRefresh::Start() {
  if (!config_.clusters.empty()) return AskClusters(config_.clusters);
  const auto group = std::make_shared<AwsCallQueue::Group>([this](const auto& failure) {
    found_.failure = failure;
    if (failure || listed_.empty()) return done_(std::move(found_));
    AskClusters(listed_);
  });
  AskArns(group, {"ListClusters", "clusterArns", "", &listed_}, "");
  queue_.Close(group);
}

void EcsRefresh::AskArns(const GroupPtr& group, ArnList list, const std::string& token) {
  Json body = {{"maxResults", kArnsMax}};
  if (!list.cluster.empty()) body["cluster"] = list.cluster;
  if (!token.empty()) body["nextToken"] = token;
  const auto take = [this, group, list](const std::string& answer) -> Status {
    Result<AwsPage<std::string>> page = ReadArns(answer, list.field);
    if (!page) return tl::unexpected(page.error());
    for (std::string& arn : page->items) list.arns->push_back(std::move(arn));
    if (page->next.empty()) return {};
    ArnList rest = list;
    if (++rest.pages == kPagesMax) return NoEnd();
    AskArns(group, std::move(rest), page->next);
    return {};
  };
  queue_.Ask(group, EcsRequest(list.action, Dump(body)), take);
}

void EcsRefresh::AskClusters(const std::vector<std::string>& names) {
  const auto group = std::make_shared<AwsCallQueue::Group>([this](const auto& failure) {
    found_.failure = failure;
    if (failure) return done_(std::move(found_));
    AskEachCluster();
  });
  ForEachBatch(names, kArnsMax, [&](const std::vector<std::string>& batch) {
    const Json body = {{"clusters", batch}, {"include", {"TAGS"}}};
    queue_.Ask(group, EcsRequest("DescribeClusters", Dump(body)), [this](const auto& answer) {
      auto clusters = ReadClusters(answer);
      if (!clusters) return Status(tl::unexpected(clusters.error()));
      for (EcsCluster& cluster : *clusters) TakeCluster(std::move(cluster));
      return Status();
    });
  });
  for (const std::string& name : names) {
    ClusterPtr& cluster = clusters_[name];
    if (cluster != nullptr) continue;
    cluster = std::make_shared<Cluster>();
    cluster->given = name;
    AskArns(group, {"ListServices", "serviceArns", name, &cluster->service_arns}, "");
    AskArns(group, {"ListTasks", "taskArns", name, &cluster->task_arns}, "");
  }
  queue_.Close(group);
}

void EcsRefresh::TakeCluster(EcsCluster cluster) {
  for (const std::string& key : {cluster.arn, cluster.name}) {
    const auto found = clusters_.find(key);
    if (found != clusters_.end()) found->second->surroundings.cluster = cluster;
  }
}

void EcsRefresh::AskEachCluster() {
  for (const auto& [name, cluster] : clusters_) {
    if (cluster->task_arns.empty()) continue;
    cluster->surroundings.region = api_.region();
    cluster->surroundings.port = config_.port;
    clusters_left_++;
    AskTasks(cluster);
  }
  clusters_.clear();  // each goes when its last call is answered
  LeaveCluster();
}

void EcsRefresh::AskTasks(const ClusterPtr& cluster) {
  const auto group = std::make_shared<AwsCallQueue::Group>([this, cluster](const auto& failure) {
    if (failure) return FailCluster(*cluster, *failure);
    AskHosts(cluster);
  });
  ForEachBatch(cluster->service_arns, kServicesMax, [&](const std::vector<std::string>& batch) {
    const Json body = {{"cluster", cluster->given}, {"services", batch}, {"include", {"TAGS"}}};
    queue_.Ask(group, EcsRequest("DescribeServices", Dump(body)), [cluster](const auto& answer) {
      auto services = ReadServices(answer);
      if (!services) return Status(tl::unexpected(services.error()));
      for (EcsService& service : *services) {
        cluster->surroundings.services[service.name] = std::move(service);
      }
      return Status();
    });
  });
  ForEachBatch(cluster->task_arns, kArnsMax, [&](const std::vector<std::string>& batch) {
    const Json body = {{"cluster", cluster->given}, {"tasks", batch}, {"include", {"TAGS"}}};
    queue_.Ask(group, EcsRequest("DescribeTasks", Dump(body)), [cluster](const auto& answer) {
      auto tasks = ReadTasks(answer);
      if (!tasks) return Status(tl::unexpected(tasks.error()));
      for (EcsTask& task : *tasks) cluster->tasks.push_back(std::move(task));
      return Status();
    });
  });
  queue_.Close(group);
}

void EcsRefresh::AskHosts(const ClusterPtr& cluster) {
  const auto group = std::make_shared<AwsCallQueue::Group>([this, cluster](const auto& failure) {
    if (failure) return FailCluster(*cluster, *failure);
    AskInstances(cluster);
  });
  AskContainerInstances(group, cluster);
  AskInterfaces(group, cluster);
  if (config_.per_container) AskDefinitions(group, cluster);
  queue_.Close(group);
}

void EcsRefresh::AskContainerInstances(const GroupPtr& group, const ClusterPtr& cluster) {
  std::set<std::string> arns;
  for (const EcsTask& task : cluster->tasks) {
    if (!task.container_instance_arn.empty()) arns.insert(task.container_instance_arn);
  }
  ForEachBatch({arns.begin(), arns.end()}, kArnsMax, [&](const std::vector<std::string>& batch) {
    const Json body = {{"cluster", cluster->given}, {"containerInstances", batch}};
    queue_.Ask(group, EcsRequest("DescribeContainerInstances", Dump(body)),
               [cluster](const auto& answer) {
                 auto ids = ReadContainerInstances(answer);
                 if (!ids) return Status(tl::unexpected(ids.error()));
                 cluster->surroundings.container_instances.merge(*ids);
                 return Status();
               });
  });
}

void EcsRefresh::AskInterfaces(const GroupPtr& group, const ClusterPtr& cluster) {
  std::set<std::string> ids;
  for (const EcsTask& task : cluster->tasks) {
    if (!task.interface.id.empty()) ids.insert(task.interface.id);
  }
  ForEachBatch({ids.begin(), ids.end()}, kIdsMax, [&](const std::vector<std::string>& batch) {
    AwsParameters parameters;
    AddList(parameters, "NetworkInterfaceId", batch);
    AskEc2(group, "DescribeNetworkInterfaces", parameters,
           [cluster](const std::string& answer) -> Result<std::string> {
             auto page = ReadPublicAddresses(answer);
             if (!page) return tl::unexpected(page.error());
             for (auto& [id, address] : page->items) {
               cluster->surroundings.public_ips[id] = std::move(address);
             }
             return page->next;
           });
  });
}

void EcsRefresh::AskDefinitions(const GroupPtr& group, const ClusterPtr& cluster) {
  std::set<std::string> arns;
  for (const EcsTask& task : cluster->tasks) {
    if (!task.definition_arn.empty()) arns.insert(task.definition_arn);
  }
  for (const std::string& arn : arns) {
    found_.definitions.insert(arn);
    if (definitions_.contains(arn)) continue;
    const Json body = {{"taskDefinition", arn}};
    queue_.Ask(group, EcsRequest("DescribeTaskDefinition", Dump(body)),
               [this, arn](const auto& answer) {
                 auto definition = ReadTaskDefinition(answer);
                 if (!definition) return Status(tl::unexpected(definition.error()));
                 definitions_[arn] = *std::move(definition);
                 return Status();
               });
  }
}

void EcsRefresh::AskInstances(const ClusterPtr& cluster) {
  const auto group = std::make_shared<AwsCallQueue::Group>([this, cluster](const auto& failure) {
    if (failure) return FailCluster(*cluster, *failure);
    MakeTargets(*cluster);
  });
  std::set<std::string> ids;
  for (const auto& [arn, id] : cluster->surroundings.container_instances) ids.insert(id);
  ForEachBatch({ids.begin(), ids.end()}, kIdsMax, [&](const std::vector<std::string>& batch) {
    AwsParameters parameters;
    AddList(parameters, "InstanceId", batch);
    AskEc2(group, "DescribeInstances", parameters,
           [cluster](const std::string& answer) -> Result<std::string> {
             auto page = ReadInstances(answer);
             if (!page) return tl::unexpected(page.error());
             for (Ec2Instance& instance : page->items) {
               if (instance.private_ip.empty()) continue;
               cluster->surroundings.instances[instance.id] = std::move(instance);
             }
             return page->next;
           });
  });
  queue_.Close(group);
}

// All pages of a list of EC2; `take` returns the token of the next one.
void EcsRefresh::AskEc2(const GroupPtr& group, const std::string& action,
                        const AwsParameters& parameters,
                        const std::function<Result<std::string>(const std::string& answer)>& take,
                        size_t pages) {
  queue_.Ask(group, Ec2Request(action, parameters),
             [this, group, action, parameters, take, pages](const auto& answer) {
               const Result<std::string> next = take(answer);
               if (!next) return Status(tl::unexpected(next.error()));
               if (next->empty()) return Status();
               if (pages + 1 == kPagesMax) return NoEnd();
               AwsParameters rest = parameters;
               rest["NextToken"] = *next;
               AskEc2(group, action, rest, take, pages + 1);
               return Status();
             });
}

void EcsRefresh::MakeTargets(const Cluster& cluster) {
  std::vector<TargetGroup>& targets = found_.parts[cluster.given];
  for (const EcsTask& task : cluster.tasks) {
    if (!config_.per_container) {
      if (auto target = MakeEcsTarget(task, cluster.surroundings)) {
        targets.push_back(*std::move(target));
      }
    } else if (const auto of = definitions_.find(task.definition_arn); of != definitions_.end()) {
      std::ranges::move(MakeEcsContainerTargets(task, of->second, cluster.surroundings),
                        std::back_inserter(targets));
    }
  }
  LeaveCluster();
}

void EcsRefresh::FailCluster(const Cluster& cluster, const AwsFailure& failure) {
  found_.failed.insert(cluster.given);
  if (!found_.failure) found_.failure = failure;
  LeaveCluster();
}

void EcsRefresh::LeaveCluster() {
  if (--clusters_left_ == 0) done_(std::move(found_));
}

}  // namespace tributary
