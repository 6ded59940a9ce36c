#include "agent/discovery/aws/ecs_task_provider.h"

#include <map>

#include "test/support/catch.h"
#include "test/unit/agent/discovery/discovery_world.h"

namespace tributary {
namespace {

// Shaped as the ECS developer guide shows them.
constexpr char kOwn[] = R"({"DockerId": "id-agent", "Name": "agent"})";
constexpr char kTask[] = R"({
  "Cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
  "TaskARN": "arn:aws:ecs:eu-west-1:111122223333:task/prod/158d1c8083dd49d6b527399fd6414f5c",
  "Family": "shop", "Revision": "26", "ServiceName": "shop-service",
  "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
  "Limits": {"CPU": 0.25, "Memory": 512},
  "AvailabilityZone": "eu-west-1b", "LaunchType": "FARGATE",
  "Containers": [
    {"DockerId": "id-pause", "Name": "~internal~ecs~pause", "Type": "CNI_PAUSE",
     "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"]}]},
    {"DockerId": "id-agent", "Name": "agent", "Image": "tributary:1", "Type": "NORMAL",
     "Ports": [{"ContainerPort": 9095, "Protocol": "tcp"}],
     "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"]}]},
    {"DockerId": "id-app", "Name": "app", "Image": "shop:4", "Type": "NORMAL",
     "KnownStatus": "RUNNING", "Health": {"status": "HEALTHY"},
     "Labels": {"com.example/team": "payments"},
     "Ports": [{"ContainerPort": 8080, "Protocol": "tcp", "HostPort": 8080},
               {"ContainerPort": 8125, "Protocol": "udp"},
               {"ContainerPort": 8081, "Protocol": "tcp"}],
     "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"]}]},
    {"DockerId": "id-exporter", "Name": "exporter", "Image": "exporter:2", "Type": "NORMAL",
     "Labels": {"PROMETHEUS_EXPORTER_PORT": "9102", "PROMETHEUS_EXPORTER_PATH": "/stats",
                "PROMETHEUS_EXPORTER_JOB_NAME": "nginx"},
     "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"]}]},
    {"DockerId": "id-done", "Name": "init", "Image": "init:1", "Type": "NORMAL",
     "KnownStatus": "STOPPED"}
  ]})";
constexpr char kStats[] = R"({
  "id-app": {
    "cpu_stats": {"cpu_usage": {"total_usage": 1500000000}},
    "memory_stats": {"usage": 1000, "limit": 5000, "stats": {"total_inactive_file": 300}},
    "blkio_stats": {"io_service_bytes_recursive": [
      {"major": 1, "op": "Read", "value": 10}, {"major": 2, "op": "Read", "value": 5},
      {"major": 1, "op": "Write", "value": 7}, {"major": 1, "op": "Total", "value": 22}]},
    "networks": {"eth1": {"rx_bytes": 100, "tx_bytes": 200, "rx_packets": 3, "tx_dropped": 1}}
  },
  "id-exporter": {"memory_stats": {}},
  "id-done": null
})";

struct EcsTaskWorld : DiscoveryWorld {
  EcsTaskWorld() {
    network.Listen("169.254.170.2:80", [this](const ServedRequest& request) {
      asked.push_back(request.target);
      const auto found = answers.find(request.target);
      return found == answers.end() ? ScriptedReply::Text(404, "no") : found->second;
    });
  }
  void Apply(milliseconds interval = seconds(15)) {
    ScrapeConfig job;
    job.job_name = "siblings";
    job.ecs_task_sd_configs = {{interval}};
    DiscoveryWorld::Apply({job});
  }
  std::map<std::string, ScriptedReply> answers = {
      {"/v4/abc", ScriptedReply::Text(200, kOwn)},
      {"/v4/abc/task", ScriptedReply::Text(200, kTask)},
      {"/v4/abc/task/stats", ScriptedReply::Text(200, kStats)},
  };
  std::vector<std::string> asked;
};

const std::string kOfApp =
    "ecs_cluster=prod ecs_task_family=shop ecs_task_id=158d1c8083dd49d6b527399fd6414f5c "
    "container=app image=shop:4";

TEST_CASE("ecs_task_sd: siblings are found at their ports, with what is known of them") {
  EcsTaskWorld world;
  world.environment["ECS_CONTAINER_METADATA_URI_V4"] = "http://169.254.170.2/v4/abc";
  world.Apply();
  world.Run(seconds(3));
  CHECK(world.asked == std::vector<std::string>{"/v4/abc", "/v4/abc/task", "/v4/abc/task/stats"});
  const std::vector<TargetGroup>& groups = world.groups["siblings"];
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].targets == std::vector<std::string>{"127.0.0.1:8080"});
  CHECK(groups[1].targets == std::vector<std::string>{"127.0.0.1:8081"});
  CHECK(groups[2].targets == std::vector<std::string>{"127.0.0.1:9102"});
  const std::map<std::string, std::string> expected = {
      {"__meta_ecs_region", "eu-west-1"},
      {"__meta_ecs_cluster", "prod"},
      {"__meta_ecs_service", "shop-service"},
      {"__meta_ecs_task_arn",
       "arn:aws:ecs:eu-west-1:111122223333:task/prod/158d1c8083dd49d6b527399fd6414f5c"},
      {"__meta_ecs_task_id", "158d1c8083dd49d6b527399fd6414f5c"},
      {"__meta_ecs_task_family", "shop"},
      {"__meta_ecs_task_revision", "26"},
      {"__meta_ecs_availability_zone", "eu-west-1b"},
      {"__meta_ecs_launch_type", "FARGATE"},
      {"__meta_ecs_desired_status", "RUNNING"},
      {"__meta_ecs_last_status", "RUNNING"},
      {"__meta_ecs_network_mode", "awsvpc"},
      {"__meta_ecs_ip_address", "10.0.2.106"},
      {"__meta_ecs_container_id", "id-app"},
      {"__meta_ecs_container_name", "app"},
      {"__meta_ecs_container_image", "shop:4"},
      {"__meta_ecs_container_port", "8080"},
      {"__meta_ecs_container_health_status", "HEALTHY"},
      {"__meta_ecs_container_label_com_example_team", "payments"},
  };
  std::map<std::string, std::string> labels;
  for (const Label& label : groups[0].labels) labels[label.name] = label.value;
  CHECK(labels == expected);
  CHECK(groups[2].labels.Get("__metrics_path__") == "/stats");
  CHECK(groups[2].labels.Get("job") == "nginx");
  CHECK(groups[2].labels.Get("__scheme__").empty());
  CHECK(world.warnings.empty());
}

TEST_CASE("ecs_task_sd: in a network of their own containers are asked at their addresses") {
  const auto task = ReadOwnTask(R"({"TaskARN": "arn:aws:ecs:r:1:task/t", "Containers": [
      {"DockerId": "a", "Name": "a", "Ports": [{"ContainerPort": 80, "Protocol": "tcp"}],
       "Networks": [{"NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.3"]}]},
      {"DockerId": "b", "Name": "b", "Ports": [{"ContainerPort": 80, "Protocol": "tcp"}]},
      {"DockerId": "c", "Name": "c", "Labels": {"PROMETHEUS_EXPORTER_PORT": "many"},
       "Networks": [{"NetworkMode": "host"}]}]})");
  REQUIRE(task);
  const auto groups = MakeSiblingTargets(*task, "none");
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].targets == std::vector<std::string>{"172.17.0.3:80"});
}

TEST_CASE("ecs_task_sd: statistics of the containers are metrics of the agent") {
  EcsTaskWorld world;
  world.environment["ECS_CONTAINER_METADATA_URI_V4"] = "http://169.254.170.2/v4/abc";
  world.Apply();
  world.Run(seconds(1));
  CHECK(world.Metric("container_cpu_usage_seconds_total " + kOfApp) == 1.5);
  CHECK(world.Metric("container_memory_usage_bytes " + kOfApp) == 1000);
  CHECK(world.Metric("container_memory_working_set_bytes " + kOfApp) == 700);
  CHECK(world.Metric("container_spec_memory_limit_bytes " + kOfApp) == 5000);
  CHECK(world.Metric("container_fs_reads_bytes_total " + kOfApp) == 15);
  CHECK(world.Metric("container_fs_writes_bytes_total " + kOfApp) == 7);
  CHECK(world.Metric("container_network_receive_bytes_total " + kOfApp + " interface=eth1") == 100);
  CHECK(world.Metric("container_network_transmit_bytes_total " + kOfApp + " interface=eth1") ==
        200);
  const std::string of_task =
      "ecs_cluster=prod ecs_task_family=shop ecs_task_id=158d1c8083dd49d6b527399fd6414f5c";
  CHECK(world.Metric("ecs_task_cpu_limit_vcpu " + of_task) == 0.25);
  CHECK(world.Metric("ecs_task_memory_limit_bytes " + of_task) == 512 << 20);
  // Of an entry that finds the same they are not shown twice.
  ScrapeConfig one, two;
  one.job_name = "one";
  one.ecs_task_sd_configs = {{seconds(15)}};
  two.job_name = "two";
  two.ecs_task_sd_configs = {{seconds(20)}};
  world.DiscoveryWorld::Apply({one, two});
  world.Run(seconds(40));
  CHECK(world.Metric("container_memory_usage_bytes " + kOfApp) == 1000);
  // Those that cannot be had are gone, and the targets stay.
  world.answers["/v4/abc/task/stats"] = ScriptedReply::Text(500, "");
  world.Run(seconds(40));
  CHECK(world.Metric("container_memory_usage_bytes " + kOfApp) == -1);
  CHECK(world.groups["one"].size() == 3);
}

TEST_CASE("ecs_task_sd: what is no good answer keeps the targets, and is told once") {
  struct Case {
    std::string path;
    ScriptedReply reply;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"/v4/abc", ScriptedReply::Text(404, "{}"), "answers with status 404"},
      {"/v4/abc", ScriptedReply::Text(200, "{}"), "answered without a DockerId"},
      {"/v4/abc/task", ScriptedReply::Text(200, "[]"), "answered with what is no JSON object"},
      {"/v4/abc/task", ScriptedReply::Text(200, "{}"), "answered without a TaskARN"},
      {"/v4/abc/task", ScriptedReply::Text(200, std::string(5 << 20, ' ')),
       "answers with more than 4 MiB"},
      {"/v4/abc/task", ScriptedReply::Broken(ScriptedReply::End::kClose), "cannot be asked"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.reason);
    EcsTaskWorld world;
    world.environment["ECS_CONTAINER_METADATA_URI_V4"] = "http://169.254.170.2/v4/abc";
    world.Apply();
    world.Run(seconds(3));
    REQUIRE(world.groups["siblings"].size() == 3);
    world.answers[one.path] = one.reply;
    world.Run(seconds(60));
    CHECK(world.groups["siblings"].size() == 3);
    REQUIRE(world.warnings.size() == 1);
    CHECK(world.warnings[0].find(one.reason) != std::string::npos);
    CHECK(world.warnings[0].find("last good targets") != std::string::npos);
    CHECK(world.Metric("prometheus_sd_refresh_failures_total mechanism=ecs_task config=siblings") >=
          3);
  }
}

TEST_CASE("ecs_task_sd: outside of ECS there is nothing to ask, which is told") {
  EcsTaskWorld world;
  world.Apply();
  world.Run(seconds(60));
  CHECK(world.asked.empty());
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("ECS_CONTAINER_METADATA_URI_V4 is not set") != std::string::npos);
  CHECK(world.Metric("prometheus_sd_failed_configs name=scrape") == 1);
}

}  // namespace
}  // namespace tributary
