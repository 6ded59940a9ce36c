#include "agent/discovery/kubernetes_provider.h"

#include "test/support/catch.h"
#include "test/unit/agent/discovery/kubernetes/kubernetes_world.h"

namespace tributary {
namespace {

ScrapeConfig Named(const std::string& name, ScrapeConfig job) {
  job.job_name = name;
  return job;
}

TEST_CASE("kubernetes_sd: jobs that look for the same share one list and one watch") {
  KubernetesWorld world;
  world.api.Put("pods", PodJson("a", "p", "1.1.1.1"));
  world.api.Put("nodes", R"({"metadata": {"name": "n1"}})");
  ScrapeConfig with_node = KubernetesJob(KubeRole::kPod);
  with_node.kubernetes_sd_configs[0].attach_node = true;
  world.Apply({KubernetesJob(KubeRole::kPod), Named("k", KubernetesJob(KubeRole::kPod)),
               Named("l", with_node), Named("m", KubernetesJob(KubeRole::kEndpointSlice)),
               Named("n", KubernetesJob(KubeRole::kNode))});
  world.Run(seconds(2));
  for (const std::string resource : {"pods", "nodes", "endpointslices", "services"}) {
    CHECK(world.api.Lists(resource) == 1);
    CHECK(world.api.Watches(resource) == 1);
  }
  for (const std::string job : {"j", "k", "l"}) CHECK(world.groups[job].size() == 1);
  // Of each provider's own: j and k are one.
  CHECK(world.Events("pod", "add") == 2);

  // Others' credentials, and others' selectors, are others' watches.
  ScrapeConfig other = KubernetesJob(KubeRole::kPod);
  other.kubernetes_sd_configs[0].http.authorization = Authorization{"Bearer", {"t"}, ""};
  ScrapeConfig selected = KubernetesJob(KubeRole::kPod);
  selected.kubernetes_sd_configs[0].selectors[KubeRole::kPod].field = "spec.nodeName=n1";
  world.Apply({KubernetesJob(KubeRole::kPod), Named("o", other), Named("s", selected)});
  world.Run(seconds(3));
  CHECK(world.api.Lists("pods") == 3);
  CHECK(world.api.open_watches() == 3);
  world.Apply({});
  CHECK(world.api.open_watches() == 0);
  CHECK(world.http.in_flight() == 0);
}

TEST_CASE("kubernetes_sd: namespaces, each by itself") {
  KubernetesWorld world;
  for (const std::string space : {"a", "b", "c"}) {
    world.api.Put("pods", PodJson(space, "p", "1.1.1.1"));
  }
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  job.kubernetes_sd_configs[0].namespaces = {"b", "a", "b"};
  world.api.refuse = [](const ServedRequest& request) -> std::optional<ScriptedReply> {
    if (request.target.find("namespaces/b/") == std::string::npos) return std::nullopt;
    return ScriptedReply::Text(403, "");
  };
  world.Discover(job);
  REQUIRE(world.groups["j"].size() == 1);
  CHECK(world.groups["j"][0].source == "pod/a/p");
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("pods in namespace \"b\"") != std::string::npos);
  world.api.refuse = nullptr;
  world.Run(seconds(10));
  CHECK(world.groups["j"].size() == 2);
}

TEST_CASE("kubernetes_sd: a selector of nodes leaves pods of other nodes out") {
  KubernetesWorld world;
  world.api.Put("pods", PodJson("a", "p1", "1.1.1.1", "n1"));
  world.api.Put("pods", PodJson("a", "p2", "2.2.2.2", "n2"));
  for (const std::string node : {"n1", "n2"}) {
    world.api.Put("nodes", R"({"metadata": {"name": ")" + node + R"(", "labels": {"own": ")" +
                               node + "\"}}}");
  }
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  job.kubernetes_sd_configs[0].attach_node = true;
  job.kubernetes_sd_configs[0].selectors[KubeRole::kNode].label = "own=n2";
  world.Discover(job);
  CHECK(TargetsText(world.groups["j"]) == "2.2.2.2:80");
  // It leaves the selection, and comes back.
  world.api.Put("nodes", R"({"metadata": {"name": "n2"}})");
  world.Run(seconds(5));
  CHECK(TargetsText(world.groups["j"]).empty());
  world.api.Put("nodes", R"({"metadata": {"name": "n2", "labels": {"own": "n2"}}})");
  world.Run(seconds(5));
  CHECK(TargetsText(world.groups["j"]) == "2.2.2.2:80");
}

TEST_CASE("kubernetes_sd: what a role cannot do without, it waits for; replica sets it does not") {
  for (const KubeRole role : {KubeRole::kPod, KubeRole::kEndpoints}) {
    KubernetesWorld world;
    world.api.Put("pods", PodJson("a", "p", "1.1.1.1"));
    world.api.Put("endpoints", R"({"metadata": {"namespace": "a", "name": "e"}, "subsets": [
      {"addresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 80}]}]})");
    ScrapeConfig job = KubernetesJob(role);
    job.kubernetes_sd_configs[0].attach_deployment = true;
    world.api.refuse = [](const ServedRequest& request) -> std::optional<ScriptedReply> {
      if (request.target.find("replicasets") == std::string::npos) return std::nullopt;
      return ScriptedReply::Text(403, "");
    };
    world.Discover(job);
    CHECK(TargetsText(world.groups["j"]) == (role == KubeRole::kPod ? "" : "1.1.1.1:80"));
  }
}

TEST_CASE("kubernetes_sd: a reload with other credentials keeps the targets until the first list") {
  KubernetesWorld world;
  world.api.Put("pods", PodJson("a", "p", "1.1.1.1"));
  world.Discover(KubernetesJob(KubeRole::kPod));
  world.updates.clear();
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  job.kubernetes_sd_configs[0].http.authorization = Authorization{"Bearer", {"new"}, ""};
  world.api.refuse = [](const ServedRequest&) { return ScriptedReply::Text(401, ""); };
  world.Apply({job});
  world.Run(seconds(20));
  CHECK(TargetsText(world.discovery.Groups("j")) == "1.1.1.1:80");
  world.api.refuse = nullptr;
  world.api.Delete("pods", "a/p");
  world.api.Put("pods", PodJson("a", "q", "2.2.2.2"));
  world.Run(seconds(60));
  CHECK(TargetsText(world.discovery.Groups("j")) == "2.2.2.2:80");
  // Another server is another cluster.
  job.kubernetes_sd_configs[0].api_server = "http://elsewhere.test";
  world.Apply({job});
  world.Run(seconds(5));
  CHECK(TargetsText(world.discovery.Groups("j")).empty());
}

TEST_CASE("kubernetes_sd: an access that cannot be made out is told and tried again") {
  KubernetesWorld world;
  world.api.Put("pods", PodJson("a", "p", "1.1.1.1"));
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  job.kubernetes_sd_configs[0].api_server = "";
  job.kubernetes_sd_configs[0].kubeconfig_file = "/kube/config";
  world.Discover(job);
  CHECK(world.Metric("prometheus_sd_failed_configs name=scrape") == 1);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].starts_with("kubernetes_sd: kubeconfig_file: /kube/config"));
  world.Run(seconds(100));
  CHECK(world.warnings.size() == 1);
  world.files.WriteFile("/kube/config",
                        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
                        "clusters: [{name: c, cluster: {server: 'http://k8s.test'}}]\n");
  world.Run(seconds(31));
  CHECK(TargetsText(world.groups["j"]) == "1.1.1.1:80");
  CHECK(world.Metric("prometheus_sd_failed_configs name=scrape") == 0);
}

TEST_CASE("kubernetes_sd: nodes are in no namespace") {
  KubernetesWorld world;
  world.api.Put("nodes", R"({"metadata": {"name": "n"},
    "status": {"addresses": [{"type": "Hostname", "address": "h"}]}})");
  ScrapeConfig job = KubernetesJob(KubeRole::kNode);
  job.kubernetes_sd_configs[0].namespaces = {"a", "b"};
  world.Discover(job);
  CHECK(world.groups["j"].size() == 1);
  CHECK(world.Events("node", "add") == 1);
}

TEST_CASE("kubernetes_sd: requests are counted by status and by what they ask for") {
  KubernetesWorld world;
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  job.kubernetes_sd_configs[0].namespaces = {"a", "b"};
  world.Discover(job);
  const std::string requests = "prometheus_sd_kubernetes_http_request_total status_code=";
  CHECK(world.Metric(requests + "200") == 4);
  CHECK(world.Metric("prometheus_sd_kubernetes_http_request_duration_seconds "
                     "endpoint=/api/v1/namespaces/%7Bnamespace%7D/pods") == 4);
  world.network.Find("k8s.test:80")->refusing = true;
  world.api.EndWatches(FakeKubernetes::Ending::kInOrder);
  world.Run(seconds(2));
  CHECK(world.Metric(requests + "<error>") >= 2);
}

TEST_CASE("kubernetes_sd: metrics are there from the beginning") {
  DiscoveryWorld world;
  for (const std::string role :
       {"node", "pod", "service", "endpoints", "endpointslice", "ingress"}) {
    for (const std::string event : {"add", "update", "delete"}) {
      CHECK(world.Metric("prometheus_sd_kubernetes_events_total role=" + role +
                         " event=" + event) == 0);
    }
  }
  CHECK(world.Metric("prometheus_sd_kubernetes_failures_total") == 0);
}

}  // namespace
}  // namespace tributary
