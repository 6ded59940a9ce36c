#include "agent/discovery/aws/ecs_provider.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/catch.h"
#include "test/unit/agent/discovery/aws/ec2_xml.h"
#include "test/unit/agent/discovery/discovery_world.h"

namespace tributary {
namespace {

using Json = nlohmann::json;

const std::string kFailures = "prometheus_sd_refresh_failures_total mechanism=ecs config=j";

ScrapeConfig EcsJob(const std::string& name) {
  ScrapeConfig job;
  job.job_name = name;
  EcsSdConfig ecs;
  ecs.access.region = "eu-west-1";
  ecs.access.access_key = "AK";
  ecs.access.secret_key = {"geheim"};
  ecs.port = 9100;
  job.ecs_sd_configs = {ecs};
  return job;
}

// An account: what is in it, and which calls came.
struct EcsWorld : DiscoveryWorld {
  struct Task {
    std::string ip;                       // with awsvpc
    std::string instance;                 // of EC2
    std::string definition = "awsvpc:1";  // its ARN
  };
  struct Cluster {
    std::vector<std::string> services;
    std::vector<Task> tasks;
  };

  EcsWorld() {
    network.Listen("ecs.eu-west-1.amazonaws.com:443", [this](const ServedRequest& request) {
      const std::string target = request.Header("X-Amz-Target");
      const std::string action = target.substr(target.find('.') + 1);
      const Json body = Json::parse(request.body);
      Count(action, body);
      if (broken(action, body)) return failure;
      return ScriptedReply::Text(200, Answer(action, body).dump());
    });
    network.Listen("ec2.eu-west-1.amazonaws.com:443", [this](const ServedRequest& request) {
      const bool instances = request.body.find("Action=DescribeInstances") != std::string::npos;
      const std::string action = instances ? "DescribeInstances" : "DescribeNetworkInterfaces";
      Count(action, request.body);
      if (broken(action, request.body)) return failure;
      return ScriptedReply::Text(200,
                                 instances ? Instances(request.body) : Interfaces(request.body));
    });
  }

  void Count(const std::string& action, const Json& body) {
    calls[action]++;
    bodies[action].push_back(body);
  }

  static Json Page(const std::string& field, const std::vector<std::string>& all,
                   const Json& body) {
    CHECK(body["maxResults"] == 100);
    const size_t begin = std::min<size_t>(std::stoul(body.value("nextToken", "0")), all.size());
    const size_t end = std::min(begin + 100, all.size());
    Json page = {{field, std::vector<std::string>(all.begin() + static_cast<ptrdiff_t>(begin),
                                                  all.begin() + static_cast<ptrdiff_t>(end))}};
    if (end < all.size()) page["nextToken"] = std::to_string(end);
    return page;
  }

  Json Answer(const std::string& action, const Json& body) {
    Json answer = Json::object();
    std::vector<std::string> arns;
    if (action == "DescribeTaskDefinition") {
      // A container "web" at the port 8080, in the network mode that the family is called after.
      const std::string arn = body["taskDefinition"];
      const Json web = {{"name", "web"},
                        {"dockerLabels", {{"revision", arn}}},
                        {"portMappings", {{{"containerPort", 8080}, {"protocol", "tcp"}}}}};
      answer["taskDefinition"] = {{"networkMode", arn.substr(0, arn.find(':'))},
                                  {"containerDefinitions", {web}}};
      return answer;
    }
    if (action == "ListClusters") {
      for (const auto& [name, cluster] : clusters) arns.push_back("arn:" + name);
      return Page("clusterArns", arns, body);
    }
    if (action == "DescribeClusters") {
      CHECK(body["include"] == Json{"TAGS"});
      CHECK(body["clusters"].size() <= 100);
      for (const std::string given : body["clusters"]) {
        const std::string name = given.starts_with("arn:") ? given.substr(4) : given;
        answer["clusters"].push_back({{"clusterArn", "arn:" + name}, {"clusterName", name}});
      }
      return answer;
    }
    std::string name = body["cluster"];
    if (name.starts_with("arn:")) name = name.substr(4);
    const Cluster& cluster = clusters[name];
    if (action == "ListServices") return Page("serviceArns", cluster.services, body);
    if (action == "ListTasks") {
      for (size_t i = 0; i < cluster.tasks.size(); i++) arns.push_back(std::to_string(i));
      return Page("taskArns", arns, body);
    }
    if (action == "DescribeServices") {
      CHECK(body["include"] == Json{"TAGS"});
      CHECK(body["services"].size() <= 10);
      for (const std::string service : body["services"]) {
        answer["services"].push_back({{"serviceName", service}, {"serviceArn", "arn:" + service}});
      }
      return answer;
    }
    if (action == "DescribeTasks") {
      CHECK(body["tasks"].size() <= 100);
      for (const std::string arn : body["tasks"]) {
        if (std::stoul(arn) >= cluster.tasks.size()) continue;  // gone since
        answer["tasks"].push_back(TaskJson(arn, cluster.tasks.at(std::stoul(arn)), cluster));
      }
      return answer;
    }
    CHECK(action == "DescribeContainerInstances");
    CHECK(body["containerInstances"].size() <= 100);
    for (const std::string arn : body["containerInstances"]) {
      answer["containerInstances"].push_back(
          {{"containerInstanceArn", arn}, {"ec2InstanceId", "i-" + arn}});
    }
    return answer;
  }

  static Json TaskJson(const std::string& arn, const Task& task, const Cluster& cluster) {
    Json json = {{"taskArn", arn}, {"taskDefinitionArn", task.definition}};
    // On an instance at the port 32000 and the number of the task.
    const Json binding = {
        {"containerPort", 8080}, {"hostPort", 32000 + std::stoi(arn)}, {"protocol", "tcp"}};
    json["containers"] = {{{"name", "web"}, {"networkBindings", {binding}}}};
    if (!cluster.services.empty()) json["group"] = "service:" + cluster.services.front();
    if (!task.instance.empty()) json["containerInstanceArn"] = task.instance;
    if (!task.ip.empty()) {
      const Json ip = {{"name", "privateIPv4Address"}, {"value", task.ip}};
      const Json eni = {{"name", "networkInterfaceId"}, {"value", "eni-" + task.ip}};
      json["attachments"] = {{{"type", "ElasticNetworkInterface"}, {"details", {ip, eni}}}};
    }
    return json;
  }

  static std::vector<std::string> Ids(const std::string& body, const std::string& name) {
    std::vector<std::string> ids;
    for (size_t at = body.find(name + "."); at != std::string::npos;
         at = body.find(name + ".", at + 1)) {
      const size_t begin = body.find('=', at) + 1;
      ids.push_back(body.substr(begin, body.find('&', begin) - begin));
    }
    CHECK(ids.size() <= 500);
    return ids;
  }

  // Instances come in pages of two; "i-h7" has the address 10.1.0.7.
  static std::string Instances(const std::string& body) {
    const std::vector<std::string> ids = Ids(body, "InstanceId");
    const size_t token = body.find("NextToken=");
    const size_t begin = token == std::string::npos ? 0 : std::stoul(body.substr(token + 10));
    const size_t end = std::min(begin + 2, ids.size());
    std::vector<XmlInstance> instances;
    for (size_t i = begin; i < end; i++) {
      XmlInstance instance;
      instance.id = ids[i];
      instance.private_ip = "10.1.0." + ids[i].substr(3);
      instances.push_back(instance);
    }
    return InstancesXml(instances, "", end < ids.size() ? std::to_string(end) : "");
  }
  static std::string Interfaces(const std::string& body) {
    std::vector<std::pair<std::string, std::string>> interfaces;
    for (const std::string& id : Ids(body, "NetworkInterfaceId")) {
      interfaces.emplace_back(id, "5" + id.substr(5));
    }
    return InterfacesXml(interfaces);
  }

  std::map<std::string, Cluster> clusters;
  std::map<std::string, int> calls;
  std::map<std::string, std::vector<Json>> bodies;
  std::function<bool(const std::string& action, const Json& body)> broken =
      [](const std::string&, const Json&) { return false; };
  ScriptedReply failure = ScriptedReply::Text(
      400, R"({"__type": "AccessDeniedException", "message": "not authorized"})");
};

TEST_CASE("ecs_sd: tasks of all clusters are found, with what they run on") {
  EcsWorld world;
  world.clusters["a"] = {{"web"}, {{"10.0.0.1", ""}, {"10.0.0.2", "h1"}, {"", "h2"}}};
  world.clusters["b"] = {{}, {{"", "h3"}, {"", "h3"}}};
  world.clusters["empty"] = {{"idle"}, {}};
  world.Apply({EcsJob("j")});
  world.Run(seconds(5));
  CHECK(world.Updates() ==
        "j: \nj: 10.0.0.1:9100 10.0.0.2:9100 10.1.0.2:9100 10.1.0.3:9100 10.1.0.3:9100");
  const std::vector<TargetGroup>& groups = world.groups["j"];
  REQUIRE(groups.size() == 5);
  CHECK(groups[0].labels.Get("__meta_ecs_cluster") == "a");
  CHECK(groups[0].labels.Get("__meta_ecs_cluster_arn") == "arn:a");
  CHECK(groups[0].labels.Get("__meta_ecs_service") == "web");
  CHECK(groups[0].labels.Get("__meta_ecs_public_ip") == "50.0.0.1");
  CHECK(groups[0].labels.Get("__meta_ecs_network_mode") == "awsvpc");
  CHECK(groups[1].labels.Get("__meta_ecs_ec2_instance_private_ip") == "10.1.0.1");
  CHECK(groups[2].labels.Get("__meta_ecs_network_mode") == "bridge");
  CHECK(groups[4].labels.Get("__meta_ecs_cluster") == "b");
  CHECK(world.calls["DescribeServices"] == 1);  // not of a cluster without tasks
  CHECK(world.calls["DescribeContainerInstances"] == 2);
  CHECK(world.calls["DescribeNetworkInterfaces"] == 1);
  CHECK(world.warnings.empty());
  CHECK(world.Metric(kFailures) == 0);
  world.Run(seconds(120));
  CHECK(world.Updates() == "");
  CHECK(world.calls["ListClusters"] == 3);
}

TEST_CASE("ecs_sd: containers are found at their ports, and each revision is asked for once") {
  EcsWorld world;
  world.clusters["a"] = {{},
                         {{"10.0.0.1", "", "awsvpc:1"},
                          {"10.0.0.2", "", "awsvpc:1"},
                          {"", "h1", "bridge:7"},
                          {"", "h2", "host:3"}}};
  ScrapeConfig job = EcsJob("j");
  job.ecs_sd_configs[0].per_container = true;
  world.Apply({job});
  world.Run(seconds(5));
  CHECK(TargetsText(world.groups["j"]) ==
        "10.0.0.1:8080 10.0.0.2:8080 10.1.0.1:32002 10.1.0.2:8080");
  CHECK(world.groups["j"][2].labels.Get("__meta_ecs_container_label_revision") == "bridge:7");
  CHECK(world.calls["DescribeTaskDefinition"] == 3);
  world.Run(seconds(180));
  CHECK(world.calls["ListTasks"] == 4);
  CHECK(world.calls["DescribeTaskDefinition"] == 3);
  // A deployment: the new revision is asked for. It fails for a while; then the old one is back.
  world.broken = [](const std::string& called, const Json&) {
    return called == "DescribeTaskDefinition";
  };
  world.clusters["a"].tasks = {{"10.0.0.3", "", "awsvpc:2"}};
  world.Run(seconds(60));
  CHECK(TargetsText(world.groups["j"]) ==
        "10.0.0.1:8080 10.0.0.2:8080 10.1.0.1:32002 10.1.0.2:8080");
  CHECK(world.Errors().find("allow the action ecs:DescribeTaskDefinition") != std::string::npos);
  world.broken = [](const std::string&, const Json&) { return false; };
  world.Run(seconds(65));
  CHECK(TargetsText(world.groups["j"]) == "10.0.0.3:8080");
  CHECK(world.calls["DescribeTaskDefinition"] == 5);
  world.clusters["a"].tasks = {{"10.0.0.1", "", "awsvpc:1"}};
  world.Run(seconds(65));
  CHECK(TargetsText(world.groups["j"]) == "10.0.0.1:8080");
  CHECK(world.calls["DescribeTaskDefinition"] == 6);  // it had been forgotten
}

TEST_CASE("ecs_sd: an account without clusters, and clusters without tasks, are good answers") {
  EcsWorld world;
  world.Apply({EcsJob("j")});
  world.Run(seconds(5));
  CHECK(world.discovery.SettledGroups("j").has_value());
  CHECK(world.Metric("prometheus_sd_refresh_duration_seconds mechanism=ecs config=j") == 1);
  world.clusters["a"] = {{}, {{"10.0.0.1", ""}}};
  world.Run(seconds(60));
  CHECK(TargetsText(world.groups["j"]) == "10.0.0.1:9100");
  world.clusters["a"].tasks.clear();
  world.Run(seconds(65));
  CHECK(TargetsText(world.groups["j"]).empty());
  CHECK(world.Metric(kFailures) == 0);
}

TEST_CASE("ecs_sd: large clusters are asked for in batches and pages") {
  EcsWorld world;
  for (int i = 0; i < 25; i++) world.clusters["a"].services.push_back("s" + std::to_string(i));
  for (int i = 0; i < 250; i++) {
    world.clusters["a"].tasks.push_back({"10.2.0." + std::to_string(i), "h" + std::to_string(i)});
  }
  for (int i = 0; i < 205; i++) world.clusters["c" + std::to_string(i)];
  world.Apply({EcsJob("j")});
  world.Run(seconds(20));
  CHECK(world.groups["j"].size() == 250);
  CHECK(world.calls["ListClusters"] == 3);
  CHECK(world.calls["DescribeClusters"] == 3);
  CHECK(world.calls["ListServices"] == 206);
  CHECK(world.calls["ListTasks"] == 206 + 2);
  CHECK(world.calls["DescribeServices"] == 3);
  CHECK(world.calls["DescribeTasks"] == 3);
  CHECK(world.calls["DescribeContainerInstances"] == 3);
  CHECK(world.calls["DescribeNetworkInterfaces"] == 1);
  CHECK(world.calls["DescribeInstances"] == 125);  // pages
  CHECK(
      world.groups["j"][7].labels.Get("__meta_ecs_ec2_instance_private_ip").starts_with("10.1.0"));
}

TEST_CASE("ecs_sd: no more calls are under way than request_concurrency says") {
  for (const int64_t limit : {1, 3, 20}) {
    EcsWorld world;
    for (int i = 0; i < 50; i++) world.clusters["c" + std::to_string(i)] = {{}, {{"10.0.0.1", ""}}};
    ScrapeConfig job = EcsJob("j");
    job.ecs_sd_configs[0].request_concurrency = limit;
    world.Apply({job});
    size_t most = 0;
    world.loop.RunUntil(
        [&] {
          most = std::max(most, world.http.in_flight());
          return world.discovery.SettledGroups("j").has_value();
        },
        seconds(50));
    CHECK(world.discovery.SettledGroups("j")->size() == 50);
    CHECK(most == static_cast<size_t>(limit));
  }
}

TEST_CASE("ecs_sd: clusters of the configuration are not listed, and may be names or ARNs") {
  EcsWorld world;
  world.clusters["a"] = {{}, {{"10.0.0.1", ""}}};
  world.clusters["b"] = {{}, {{"10.0.0.2", ""}}};
  world.clusters["c"] = {{}, {{"10.0.0.3", ""}}};
  ScrapeConfig job = EcsJob("j");
  job.ecs_sd_configs[0].clusters = {"arn:a", "b", "b"};
  world.Apply({job});
  world.Run(seconds(5));
  CHECK(TargetsText(world.groups["j"]) == "10.0.0.1:9100 10.0.0.2:9100");
  CHECK(world.groups["j"][1].labels.Get("__meta_ecs_cluster_arn") == "arn:b");
  CHECK(world.calls.count("ListClusters") == 0);
  CHECK(world.calls["ListTasks"] == 2);
}

TEST_CASE(
    "ecs_sd: what fails for all clusters keeps all targets, and is told once with the action") {
  for (const char* action : {"ListClusters", "DescribeClusters", "ListServices", "ListTasks"}) {
    CAPTURE(action);
    EcsWorld world;
    world.clusters["a"] = {{}, {{"10.0.0.1", ""}}};
    world.clusters["b"] = {{}, {{"10.0.0.2", ""}}};
    world.Apply({EcsJob("j")});
    world.Run(seconds(5));
    world.Updates();
    world.broken = [&](const std::string& called, const Json&) { return called == action; };
    world.clusters["b"].tasks.clear();
    world.Run(seconds(185));
    CHECK(world.Updates() == "");
    CHECK(world.Metric(kFailures) == 3);
    REQUIRE(world.warnings.size() == 1);
    CHECK(world.warnings[0] ==
          "ecs_sd: eu-west-1: ecs:" + std::string(action) +
              ": AccessDeniedException: not authorized; allow the action ecs:" + action +
              " in a policy of the role or user (its last good targets are kept)");
    CHECK(world.Errors() == "j: " + world.warnings[0]);
    world.broken = [](const std::string&, const Json&) { return false; };
    world.Run(seconds(65));
    CHECK(world.Updates() == "j: 10.0.0.1:9100");
    CHECK(world.Errors() == "");
  }
}

TEST_CASE("ecs_sd: a cluster that cannot be looked at keeps its targets, the others go on") {
  for (const char* action : {"DescribeServices", "DescribeTasks", "DescribeContainerInstances",
                             "DescribeInstances", "DescribeNetworkInterfaces"}) {
    CAPTURE(action);
    EcsWorld world;
    world.clusters["a"] = {{"s"}, {{"10.0.0.1", ""}, {"", "h1"}}};
    world.clusters["b"] = {{"s"}, {{"10.0.0.2", ""}, {"", "h2"}}};
    world.Apply({EcsJob("j")});
    world.Run(seconds(5));
    CHECK(TargetsText(world.groups["j"]) ==
          "10.0.0.1:9100 10.1.0.1:9100 10.0.0.2:9100 10.1.0.2:9100");
    world.broken = [&](const std::string& called, const Json& body) {
      if (called != action) return false;
      if (body.is_object()) return body["cluster"] == "arn:a";
      const std::string form = body;
      return form.find("i-h1") != std::string::npos || form.find("10.0.0.1") != std::string::npos;
    };
    world.clusters["b"].tasks.push_back({"10.0.0.3", ""});
    world.Run(seconds(120));
    CHECK(TargetsText(world.groups["j"]) ==
          "10.0.0.1:9100 10.1.0.1:9100 10.0.0.2:9100 10.0.0.3:9100 10.1.0.2:9100");
    CHECK(world.Metric(kFailures) == 2);
    REQUIRE(world.warnings.size() == 1);
    CHECK(world.warnings[0].find(":" + std::string(action) + ": ") != std::string::npos);
    CHECK(world.warnings[0].ends_with(" (its last good targets are kept)"));
    // A cluster that is gone is gone.
    world.broken = [](const std::string&, const Json&) { return false; };
    world.clusters.erase("a");
    world.Run(seconds(65));
    CHECK(TargetsText(world.groups["j"]) == "10.0.0.2:9100 10.0.0.3:9100 10.1.0.2:9100");
  }
}

TEST_CASE("ecs_sd: throttled calls are made again before the refresh fails") {
  EcsWorld world;
  world.clusters["a"] = {{}, {{"10.0.0.1", ""}}};
  int left = 2;
  world.failure = ScriptedReply::Text(400, R"({"__type": "ThrottlingException", "message": "x"})");
  world.broken = [&](const std::string& called, const Json&) {
    return called == "ListTasks" && left-- > 0;
  };
  world.Apply({EcsJob("j")});
  world.Run(seconds(10));
  CHECK(TargetsText(world.groups["j"]) == "10.0.0.1:9100");
  CHECK(world.Metric(kFailures) == 0);
  CHECK(world.Metric("tributary_sd_aws_retries_total") == 2);
  CHECK(world.Metric("tributary_sd_aws_throttled_total") == 2);
}

TEST_CASE("ecs_sd: lists without an end and answers that are no JSON are failures") {
  EcsWorld world;
  world.failure = ScriptedReply::Text(200, R"({"taskArns": [], "nextToken": "again"})");
  world.broken = [&](const std::string& called, const Json&) { return called == "ListTasks"; };
  world.clusters["a"] = {{}, {{"10.0.0.1", ""}}};
  world.Apply({EcsJob("j")});
  world.Run(seconds(50));
  CHECK(world.calls["ListTasks"] == static_cast<int>(EcsRefresh::kPagesMax));
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0] == "ecs_sd: eu-west-1: ecs:ListTasks: gave a list that has no end");
  world.failure = ScriptedReply::Text(200, "<html>");
  world.Run(seconds(60));
  CHECK(world.Metric(kFailures) == 2);
}

TEST_CASE("ecs_sd: whatever fails meanwhile, in the end the targets are what there is") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  EcsWorld world;
  const auto set_faults = [&](const SimFaults& faults) {
    for (const char* host :
         {"ecs.eu-west-1.amazonaws.com:443", "ec2.eu-west-1.amazonaws.com:443"}) {
      world.network.Find(host)->faults = faults;
    }
  };
  bool breaking = false;
  world.broken = [&](const std::string&, const Json&) { return breaking && random() % 20 == 0; };
  world.Apply({EcsJob("j")});
  double failures = 0;
  for (int round = 0; round < 30; round++) {
    breaking = true;
    set_faults({.refuse = 0.02, .lose_reply = 0.02, .hang = 0.01, .cut = 0.02, .error = 0.02});
    for (int change = 0; change < 5; change++) {
      EcsWorld::Cluster& cluster = world.clusters["c" + std::to_string(random() % 4)];
      cluster.tasks.clear();
      for (uint64_t i = random() % 150; i > 0; i--) {
        const std::string number = std::to_string(random() % 250);
        const bool host = random() % 3 == 0;
        cluster.tasks.push_back({host ? "" : "10.0.0." + number, host ? "h" + number : ""});
      }
      if (random() % 5 == 0) world.clusters.erase("c" + std::to_string(random() % 4));
      world.Run(seconds(30));
    }
    breaking = false;
    set_faults({});
    world.Run(seconds(240));  // a refresh may hang for its calls' whole time
    std::multiset<std::string> expected, found;
    for (const auto& [name, cluster] : world.clusters) {
      for (const EcsWorld::Task& task : cluster.tasks) {
        expected.insert(name + " " +
                        (task.ip.empty() ? "10.1.0." + task.instance.substr(1) : task.ip) +
                        ":9100");
      }
    }
    for (const TargetGroup& group : world.discovery.Groups("j")) {
      found.insert(std::string(group.labels.Get("__meta_ecs_cluster")) + " " + group.targets[0]);
    }
    REQUIRE(found == expected);
    failures = world.Metric(kFailures);
  }
  CHECK(failures > 10);
}

TEST_CASE("ecs_sd: what is gone asks no more, wherever its refresh was") {
  for (int stop = 1; stop < 12; stop++) {
    EcsWorld world;
    world.clusters["a"] = {{"s"}, {{"10.0.0.1", "h1"}, {"", "h2"}}};
    ScrapeConfig job = EcsJob("j");
    job.ecs_sd_configs[0].request_concurrency = 1;
    world.Apply({job});
    const auto count = [&] {
      int all = 0;
      for (const auto& [action, calls] : world.calls) all += calls;
      return all;
    };
    world.loop.RunUntil([&] { return count() >= stop; }, seconds(5));
    const int before = count();
    world.Apply({});
    CHECK(world.http.in_flight() == 0);
    world.Run(seconds(100));
    CHECK(count() == before);
    CHECK(world.loop.pending() == 0);
  }
}

}  // namespace
}  // namespace tributary
