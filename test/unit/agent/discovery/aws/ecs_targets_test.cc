// The cases are those of Prometheus' discovery/aws/ecs_test.go, over the API's JSON.
#include "agent/discovery/aws/ecs_targets.h"

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

EcsSurroundings Surroundings() {
  EcsSurroundings surroundings;
  surroundings.region = "us-west-2";
  const auto clusters = ReadClusters(
      R"({"clusters": [{"clusterName": "test-cluster", "clusterArn": "arn:cluster/test-cluster",
          "status": "ACTIVE", "tags": [{"key": "Environment", "value": "test"}, {"value": "x"},
          {"key": null, "value": "x"}]}], "failures": []})");
  REQUIRE(clusters);
  REQUIRE(clusters->size() == 1);
  surroundings.cluster = clusters->front();
  const auto services = ReadServices(
      R"({"services": [{"serviceName": "web-service", "serviceArn": "arn:service/web-service",
          "status": "ACTIVE", "tags": [{"key": "App", "value": "web"}]}]})");
  REQUIRE(services);
  for (const EcsService& service : *services) surroundings.services[service.name] = service;
  const auto ids = ReadContainerInstances(
      R"({"containerInstances": [
          {"containerInstanceArn": "arn:ci/1", "ec2InstanceId": "i-1"},
          {"containerInstanceArn": "arn:ci/2", "ec2InstanceId": "i-unknown"},
          {"containerInstanceArn": "arn:ci/external", "ec2InstanceId": null}]})");
  REQUIRE(ids);
  CHECK(ids->size() == 2);
  surroundings.container_instances = *ids;
  Ec2Instance instance;
  instance.id = "i-1";
  instance.private_ip = "10.0.1.50";
  instance.public_ip = "54.1.2.3";
  instance.subnet_id = "subnet-host";
  instance.type = "t3.medium";
  instance.tags = {{"Name", "ecs-host-1"}, {"aws:x", "y"}};
  surroundings.instances["i-1"] = instance;
  surroundings.public_ips["eni-1"] = "52.1.2.3";
  return surroundings;
}

// One target a paragraph, labels but for the prefix __meta_ecs_.
std::string Text(const std::string& tasks_json) {
  const auto tasks = ReadTasks(R"({"tasks": [)" + tasks_json + "]}");
  REQUIRE(tasks);
  std::string text;
  for (const EcsTask& task : *tasks) {
    const auto group = MakeEcsTarget(task, Surroundings());
    if (!group) continue;
    CHECK(group->source == "us-west-2");
    text += group->targets.at(0) + "\n";
    for (const Label& label : group->labels) {
      const std::string prefix = "__meta_ecs_";
      REQUIRE(label.name.starts_with(prefix));
      text += label.name.substr(prefix.size()) + "=" + label.value + "\n";
    }
  }
  return text;
}

const std::string kInterface =
    R"("attachments": [{"type": "Other", "details": [{"name": "subnetId", "value": "no"}]},
        {"type": "ElasticNetworkInterface", "status": "ATTACHED", "details": [
         {"name": "subnetId", "value": "subnet-12345"},
         {"name": "networkInterfaceId", "value": "eni-1"},
         {"name": "macAddress", "value": "00:00"},
         {"value": "x"}, {"name": "privateIPv4Address"},
         {"name": "privateIPv4Address", "value": "10.0.1.100"}]},
        {"type": "ElasticNetworkInterface", "details": [
         {"name": "privateIPv4Address", "value": "10.9.9.9"}]}])";

TEST_CASE("ecs targets: a Fargate task of a service has all labels") {
  CHECK(Text(R"({"taskArn": "arn:task/1", "taskDefinitionArn": "arn:task-definition/web:1",
                 "group": "service:web-service", "launchType": "FARGATE",
                 "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "healthStatus": "HEALTHY",
                 "availabilityZone": "us-west-2a", "platformFamily": "Linux",
                 "platformVersion": "1.4.0", "tags": [{"key": "Version", "value": "v1.0"}],)" +
             kInterface + "}") ==
        "10.0.1.100:80\n"
        "availability_zone=us-west-2a\n"
        "cluster=test-cluster\n"
        "cluster_arn=arn:cluster/test-cluster\n"
        "desired_status=RUNNING\n"
        "health_status=HEALTHY\n"
        "ip_address=10.0.1.100\n"
        "last_status=RUNNING\n"
        "launch_type=FARGATE\n"
        "network_mode=awsvpc\n"
        "platform_family=Linux\n"
        "platform_version=1.4.0\n"
        "public_ip=52.1.2.3\n"
        "region=us-west-2\n"
        "service=web-service\n"
        "service_arn=arn:service/web-service\n"
        "service_status=ACTIVE\n"
        "subnet_id=subnet-12345\n"
        "tag_cluster_Environment=test\n"
        "tag_service_App=web\n"
        "tag_task_Version=v1.0\n"
        "task_arn=arn:task/1\n"
        "task_definition=arn:task-definition/web:1\n"
        "task_group=service:web-service\n");
}

TEST_CASE("ecs targets: a task without an address is none") {
  CHECK(Text(R"({"taskArn": "a", "group": "service:web-service", "attachments": []})").empty());
  // On an instance that is not known, or that is none of EC2.
  for (const char* arn : {"arn:ci/2", "arn:ci/external", "arn:ci/missing"}) {
    CAPTURE(arn);
    CHECK(Text(R"({"taskArn": "a", "containerInstanceArn": ")" + std::string(arn) + "\"}").empty());
  }
  CHECK(Text(R"({"taskArn": "a", "containerInstanceArn": "arn:ci/1", "attachments":
                 [{"type": "ElasticNetworkInterface", "details": []}]})")
            .empty());
}

TEST_CASE("ecs targets: a task of no service, and one whose service is not known") {
  const std::string rest =
      "ip_address=10.0.1.100\nnetwork_mode=awsvpc\npublic_ip=52.1.2.3\nregion=us-west-2\n"
      "subnet_id=subnet-12345\ntag_cluster_Environment=test\n";
  const std::string first =
      "10.0.1.100:80\ncluster=test-cluster\ncluster_arn=arn:cluster/test-cluster\n";
  for (const char* group : {"batch-jobs", "service:gone", "service", "family:web-service"}) {
    CHECK(Text(R"({"group": ")" + std::string(group) + "\"," + kInterface + "}") ==
          first + rest + "task_group=" + group + "\n");
  }
  CHECK(Text("{" + kInterface + "}") == first + rest);
}

TEST_CASE("ecs targets: in bridge mode the address is that of the instance") {
  CHECK(Text(R"({"taskArn": "arn:task/b", "group": "x", "launchType": "EC2",
                 "containerInstanceArn": "arn:ci/1", "attachments": []})") ==
        "10.0.1.50:80\n"
        "cluster=test-cluster\n"
        "cluster_arn=arn:cluster/test-cluster\n"
        "container_instance_arn=arn:ci/1\n"
        "ec2_instance_id=i-1\n"
        "ec2_instance_private_ip=10.0.1.50\n"
        "ec2_instance_public_ip=54.1.2.3\n"
        "ec2_instance_type=t3.medium\n"
        "ip_address=10.0.1.50\n"
        "launch_type=EC2\n"
        "network_mode=bridge\n"
        "public_ip=54.1.2.3\n"
        "region=us-west-2\n"
        "subnet_id=subnet-host\n"
        "tag_cluster_Environment=test\n"
        "tag_ec2_Name=ecs-host-1\n"
        "tag_ec2_aws_x=y\n"
        "task_arn=arn:task/b\n"
        "task_group=x\n");
}

TEST_CASE("ecs targets: awsvpc on an instance has the task's address and the instance's labels") {
  CHECK(Text(R"({"containerInstanceArn": "arn:ci/1",)" + kInterface + "}") ==
        "10.0.1.100:80\n"
        "cluster=test-cluster\n"
        "cluster_arn=arn:cluster/test-cluster\n"
        "container_instance_arn=arn:ci/1\n"
        "ec2_instance_id=i-1\n"
        "ec2_instance_private_ip=10.0.1.50\n"
        "ec2_instance_public_ip=54.1.2.3\n"
        "ec2_instance_type=t3.medium\n"
        "ip_address=10.0.1.100\n"
        "network_mode=awsvpc\n"
        "public_ip=52.1.2.3\n"
        "region=us-west-2\n"
        "subnet_id=subnet-12345\n"
        "tag_cluster_Environment=test\n"
        "tag_ec2_Name=ecs-host-1\n"
        "tag_ec2_aws_x=y\n");
  const std::string unknown = Text(R"({"containerInstanceArn": "arn:ci/2",)" + kInterface + "}");
  CHECK(unknown.find("ec2_instance_id=i-unknown\n") != std::string::npos);
  CHECK(unknown.find("ec2_instance_type") == std::string::npos);
}

// As Text, of the containers of one task: address and labels that tasks do not have.
std::string ContainerText(const std::string& task_json, const std::string& definition_json) {
  const auto tasks = ReadTasks(R"({"tasks": [)" + task_json + "]}");
  REQUIRE(tasks);
  const auto definition = ReadTaskDefinition(R"({"taskDefinition": )" + definition_json + "}");
  REQUIRE(definition);
  std::string text;
  for (const auto& group : MakeEcsContainerTargets(tasks->at(0), *definition, Surroundings())) {
    CHECK(group.labels.Get("__meta_ecs_cluster") == "test-cluster");
    CHECK(group.labels.Get("__meta_ecs_task_arn") == "t");
    text += group.targets.at(0) + "\n";
    for (const Label& label : group.labels) {
      const std::string_view name = label.name;
      const bool of_container =
          name.starts_with("__meta_ecs_container_") && name != "__meta_ecs_container_instance_arn";
      if (!of_container && name.starts_with("__meta_ecs_") && name != "__meta_ecs_network_mode") {
        continue;
      }
      text += label.name + "=" + label.value + "\n";
    }
  }
  return text;
}

const std::string kDefinition = R"({"networkMode": "MODE", "containerDefinitions": [
    {"name": "web", "dockerLabels": {"com.example/team": "shop", "x": null},
     "portMappings": [{"containerPort": 8081, "hostPort": 0, "protocol": "tcp"},
                      {"containerPort": 8080}, {"containerPort": 8080, "protocol": "tcp"},
                      {"containerPort": 53, "protocol": "udp"},
                      {"containerPortRange": "9000-9010", "protocol": "tcp"}]},
    {"name": "exporter", "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
     "dockerLabels": {"PROMETHEUS_EXPORTER_PORT": "9102", "PROMETHEUS_EXPORTER_PATH": "/stats",
                      "PROMETHEUS_EXPORTER_SCHEME": "https",
                      "PROMETHEUS_EXPORTER_JOB_NAME": "nginx"}},
    {"name": "quiet"},
    {"name": "init", "portMappings": [{"containerPort": 81, "protocol": "tcp"}]}]})";

const std::string kContainers = R"("taskArn": "t", "containers": [
    {"name": "web", "runtimeId": "r1", "image": "web:3", "lastStatus": "RUNNING",
     "healthStatus": "HEALTHY", "networkBindings": [
      {"bindIP": "0.0.0.0", "containerPort": 8080, "hostPort": 32768, "protocol": "tcp"},
      {"bindIP": "::", "containerPort": 8080, "hostPort": 32768, "protocol": "tcp"},
      {"bindIP": "0.0.0.0", "containerPort": 8080, "hostPort": 32770, "protocol": "udp"},
      {"bindIP": "0.0.0.0", "containerPort": 8081, "hostPort": 0, "protocol": "tcp"}]},
    {"name": "exporter", "lastStatus": "RUNNING"},
    {"name": "quiet", "lastStatus": "RUNNING"},
    {"name": "~internal~ecs~pause", "lastStatus": "RUNNING"},
    {"name": "init", "lastStatus": "STOPPED"}])";

std::string DefinitionOf(const std::string& mode) {
  std::string json = kDefinition;
  return json.replace(json.find("MODE"), 4, mode);
}

const std::string kOfWeb =
    "__meta_ecs_container_health_status=HEALTHY\n__meta_ecs_container_id=r1\n"
    "__meta_ecs_container_image=web:3\n__meta_ecs_container_label_com_example_team=shop\n"
    "__meta_ecs_container_name=web\n";
const std::string kOfExporter =
    "__meta_ecs_container_label_PROMETHEUS_EXPORTER_JOB_NAME=nginx\n"
    "__meta_ecs_container_label_PROMETHEUS_EXPORTER_PATH=/stats\n"
    "__meta_ecs_container_label_PROMETHEUS_EXPORTER_PORT=9102\n"
    "__meta_ecs_container_label_PROMETHEUS_EXPORTER_SCHEME=https\n"
    "__meta_ecs_container_name=exporter\n__meta_ecs_container_port=9102\n";

std::multiset<std::string> Lines(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

TEST_CASE("ecs targets: containers with a network of the task's own are at their ports there") {
  const auto expected = [](const std::string& address, const std::string& mode) {
    const std::string network = "__meta_ecs_network_mode=" + mode + "\n";
    return Lines(address + ":8080\n__meta_ecs_container_port=8080\n" + kOfWeb + network + address +
                 ":8081\n__meta_ecs_container_port=8081\n" + kOfWeb + network + address +
                 ":9102\n__metrics_path__=/stats\n__scheme__=https\njob=nginx\n" + kOfExporter +
                 network);
  };
  CHECK(Lines(ContainerText("{" + kContainers + "," + kInterface + "}", DefinitionOf("awsvpc"))) ==
        expected("10.0.1.100", "awsvpc"));
  CHECK(Lines(ContainerText("{\"containerInstanceArn\": \"arn:ci/1\"," + kContainers + "}",
                            DefinitionOf("host"))) == expected("10.0.1.50", "host"));
}

TEST_CASE("ecs targets: containers behind a bridge are at the ports they have of the instance") {
  const std::string task = "{\"containerInstanceArn\": \"arn:ci/1\"," + kContainers + "}";
  CHECK(ContainerText(task, DefinitionOf("bridge")) ==
        "10.0.1.50:32768\n" + kOfWeb +
            "__meta_ecs_container_port=8080\n__meta_ecs_network_mode=bridge\n");
  CHECK(ContainerText(task, R"({"containerDefinitions": [{"name": "web", "dockerLabels":
      {"com.example/team": "shop", "PROMETHEUS_EXPORTER_PORT": "8080x"}, "portMappings":
      [{"containerPort": 8080}]}]})") ==
        "10.0.1.50:32768\n__meta_ecs_container_health_status=HEALTHY\n"
        "__meta_ecs_container_id=r1\n__meta_ecs_container_image=web:3\n"
        "__meta_ecs_container_label_PROMETHEUS_EXPORTER_PORT=8080x\n"
        "__meta_ecs_container_label_com_example_team=shop\n__meta_ecs_container_name=web\n"
        "__meta_ecs_container_port=8080\n__meta_ecs_network_mode=bridge\n");
  // Without an address of the task there is none of its containers.
  CHECK(ContainerText("{" + kContainers + "}", DefinitionOf("awsvpc")).empty());
}

TEST_CASE("ecs answers: what is no object is an error, what is absent or null is nothing") {
  for (const char* bad :
       {"", "[]", "null", "1", "{", "{\"tasks\": [}", "<a/>", "{\"a\":\"\xff\"}"}) {
    CAPTURE(bad);
    CHECK_FALSE(ReadArns(bad, "taskArns"));
    CHECK_FALSE(ReadClusters(bad));
    CHECK_FALSE(ReadServices(bad));
    CHECK_FALSE(ReadTasks(bad));
    CHECK_FALSE(ReadContainerInstances(bad));
    CHECK_FALSE(ReadTaskDefinition(bad));
  }
  for (const char* empty : {"{}", R"({"taskArns": null, "tasks": null, "nextToken": null})",
                            R"({"taskArns": {}, "tasks": 1, "nextToken": 2})"}) {
    CAPTURE(empty);
    const auto arns = ReadArns(empty, "taskArns");
    REQUIRE(arns);
    CHECK(arns->items.empty());
    CHECK(arns->next.empty());
    const auto tasks = ReadTasks(empty);
    REQUIRE(tasks);
    CHECK(tasks->empty());
  }
  const auto arns = ReadArns(R"({"taskArns": ["a", 1, null, "b"], "nextToken": "n"})", "taskArns");
  REQUIRE(arns);
  CHECK(arns->items == std::vector<std::string>{"a", "b"});
  CHECK(arns->next == "n");
  const auto odd = ReadTasks(R"({"tasks": [null, 7, {"attachments": [null, {"type": 1}], "tags":
                                 {}, "group": ["x"]}]})");
  REQUIRE(odd);
  CHECK(odd->size() == 3);
}

}  // namespace
}  // namespace tributary
