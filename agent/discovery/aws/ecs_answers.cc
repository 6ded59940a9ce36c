#include "agent/discovery/aws/ecs_answers.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "agent/discovery/aws/json_fields.h"

namespace tributary {
namespace {

using Json = nlohmann::json;

constexpr char kInterface[] = "ElasticNetworkInterface";
constexpr char kTcp[] = "tcp";

// A list of what `read` makes of the items.
template <typename T, typename Read>
Result<std::vector<T>> ReadList(const std::string& json, std::string_view list, const Read& read) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  std::vector<T> items;
  ForEach(*root, list, [&](const Json& item) { items.push_back(read(item)); });
  return items;
}

AwsTags ReadTags(const Json& object) {
  AwsTags tags;
  ForEach(object, "tags", [&tags](const Json& tag) {
    if (std::string key = TextOf(tag, "key"); !key.empty()) {
      tags.emplace_back(std::move(key), TextOf(tag, "value"));
    }
  });
  return tags;
}

void ReadInterface(const Json& attachment, EcsTask& task) {
  if (task.has_interface || TextOf(attachment, "type") != kInterface) return;
  task.has_interface = true;
  ForEach(attachment, "details", [&task](const Json& detail) {
    const std::string name = TextOf(detail, "name");
    std::string value = TextOf(detail, "value");
    if (value.empty()) return;
    if (name == "networkInterfaceId") task.interface.id = std::move(value);
    if (name == "privateIPv4Address") task.interface.private_ip = std::move(value);
    if (name == "subnetId") task.interface.subnet_id = std::move(value);
  });
}

EcsRunningContainer ReadContainer(const Json& json) {
  EcsRunningContainer container;
  container.id = TextOf(json, "runtimeId");
  container.name = TextOf(json, "name");
  container.image = TextOf(json, "image");
  container.last_status = TextOf(json, "lastStatus");
  container.health_status = TextOf(json, "healthStatus");
  ForEach(json, "networkBindings", [&container](const Json& binding) {
    const double inside = NumberOf(binding, "containerPort").value_or(0);
    const double outside = NumberOf(binding, "hostPort").value_or(0);
    if (TextOf(binding, "protocol") != kTcp || !IsPort(inside) || !IsPort(outside)) return;
    container.bindings.push_back({static_cast<int>(inside), static_cast<int>(outside)});
  });
  return container;
}

EcsContainer ReadDefinedContainer(const Json& json) {
  EcsContainer container;
  container.name = TextOf(json, "name");
  if (const Json* labels = FieldOf(json, "dockerLabels")) container.labels = ReadTexts(*labels);
  ForEach(json, "portMappings", [&container](const Json& mapping) {
    const std::string protocol = TextOf(mapping, "protocol");
    if (!protocol.empty() && protocol != kTcp) return;
    AddTcpPort(NumberOf(mapping, "containerPort").value_or(0), container);
  });
  return container;
}

EcsTask ReadTask(const Json& json) {
  EcsTask task;
  task.arn = TextOf(json, "taskArn");
  task.definition_arn = TextOf(json, "taskDefinitionArn");
  task.container_instance_arn = TextOf(json, "containerInstanceArn");
  task.group = TextOf(json, "group");
  task.availability_zone = TextOf(json, "availabilityZone");
  task.launch_type = TextOf(json, "launchType");
  task.platform_family = TextOf(json, "platformFamily");
  task.platform_version = TextOf(json, "platformVersion");
  task.desired_status = TextOf(json, "desiredStatus");
  task.last_status = TextOf(json, "lastStatus");
  task.health_status = TextOf(json, "healthStatus");
  ForEach(json, "attachments", [&task](const Json& item) { ReadInterface(item, task); });
  task.tags = ReadTags(json);
  ForEach(json, "containers",
          [&task](const Json& item) { task.containers.push_back(ReadContainer(item)); });
  return task;
}

}  // namespace

Result<AwsPage<std::string>> ReadArns(const std::string& json, std::string_view list) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  AwsPage<std::string> page;
  ForEach(*root, list, [&page](const Json& arn) {
    if (arn.is_string()) page.items.push_back(arn.get<std::string>());
  });
  page.next = TextOf(*root, "nextToken");
  return page;
}

Result<std::vector<EcsCluster>> ReadClusters(const std::string& json) {
  return ReadList<EcsCluster>(json, "clusters", [](const Json& item) {
    return EcsCluster{TextOf(item, "clusterArn"), TextOf(item, "clusterName"), ReadTags(item)};
  });
}

Result<std::vector<EcsService>> ReadServices(const std::string& json) {
  return ReadList<EcsService>(json, "services", [](const Json& item) {
    return EcsService{TextOf(item, "serviceArn"), TextOf(item, "serviceName"),
                      TextOf(item, "status"), ReadTags(item)};
  });
}

Result<std::vector<EcsTask>> ReadTasks(const std::string& json) {
  return ReadList<EcsTask>(json, "tasks", ReadTask);
}

Result<EcsTaskDefinition> ReadTaskDefinition(const std::string& json) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  const Json* found = FieldOf(*root, "taskDefinition");
  if (found == nullptr || !found->is_object()) return Fail("answered without a task definition");
  EcsTaskDefinition definition;
  definition.network_mode = TextOf(*found, "networkMode");
  ForEach(*found, "containerDefinitions", [&definition](const Json& item) {
    EcsContainer container = ReadDefinedContainer(item);
    definition.containers[container.name] = std::move(container);
  });
  return definition;
}

Result<std::map<std::string, std::string>> ReadContainerInstances(const std::string& json) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  std::map<std::string, std::string> ids;
  ForEach(*root, "containerInstances", [&ids](const Json& item) {
    const std::string id = TextOf(item, "ec2InstanceId");
    if (!id.empty()) ids[TextOf(item, "containerInstanceArn")] = id;
  });
  return ids;
}

}  // namespace tributary
