// Objects change at random while watches break, versions are forgotten and requests fail: in the
// end, every role knows what one that looks for the first time finds.
#include <random>

#include <fmt/format.h>

#include "test/support/catch.h"
#include "test/unit/agent/discovery/kubernetes/kubernetes_world.h"

namespace tributary {
namespace {

constexpr KubeRole kRoles[] = {KubeRole::kNode,      KubeRole::kPod,           KubeRole::kService,
                               KubeRole::kEndpoints, KubeRole::kEndpointSlice, KubeRole::kIngress};

std::vector<ScrapeConfig> AllJobs() {
  std::vector<ScrapeConfig> jobs;
  for (const KubeRole role : kRoles) {
    ScrapeConfig job = KubernetesJob(role);
    job.job_name = KubeRoleName(role);
    KubernetesSdConfig& sd = job.kubernetes_sd_configs[0];
    sd.attach_node = sd.attach_namespace = true;
    sd.attach_deployment = sd.attach_job = sd.attach_cronjob = true;
    jobs.push_back(job);
    job.job_name += "-some";
    KubernetesSdConfig& some = job.kubernetes_sd_configs[0];
    some.namespaces = {"s0", "s1"};
    if (role == KubeRole::kPod) some.selectors[KubeRole::kPod].field = "spec.nodeName=n1";
    if (role == KubeRole::kNode) some.selectors[KubeRole::kNode].label = "l=1";
    jobs.push_back(job);
  }
  return jobs;
}

class Cluster {
 public:
  Cluster(FakeKubernetes& api, uint64_t seed) : api_(api), random_(seed) {}

  void Change() {
    static const std::vector<std::string> kResources = {
        "pods",           "pods",      "pods",       "nodes",       "services", "endpoints",
        "endpointslices", "ingresses", "namespaces", "replicasets", "jobs"};
    const std::string resource = kResources[Below(kResources.size())];
    const bool cluster_wide = resource == "nodes" || resource == "namespaces";
    const std::string space = cluster_wide ? "" : fmt::format("s{}", Below(3));
    const std::string name = resource == "namespaces" ? fmt::format("s{}", Below(3)) : Name();
    if (Below(4) == 0) return api_.Delete(resource, cluster_wide ? name : space + "/" + name);
    std::string meta = fmt::format(R"("name": "{}", "labels": {{"l": "{}",
        "kubernetes.io/service-name": "{}"}})",
                                   name, Below(3), Name());
    if (!cluster_wide) meta += fmt::format(R"(, "namespace": "{}")", space);
    if (Below(2) == 0) {
      static const std::vector<std::string> kKinds = {"ReplicaSet", "Job", "Deployment", "CronJob"};
      meta += fmt::format(R"(, "ownerReferences": [{{"kind": "{}", "name": "{}",
          "controller": true}}])",
                          kKinds[Below(4)], Name());
    }
    api_.Put(resource, fmt::format(R"({{"metadata": {{{}}}{}}})", meta, Body(resource, space)));
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

 private:
  std::string Name() { return fmt::format("n{}", Below(4)); }
  std::string Address() { return fmt::format("10.0.0.{}", Below(5)); }
  std::string Target(const std::string& space) {
    return fmt::format(R"({{"kind": "{}", "namespace": "{}", "name": "{}"}})",
                       Below(4) == 0 ? "Node" : "Pod", space, Name());
  }

  std::string Body(const std::string& resource, const std::string& space) {
    if (resource == "pods") {
      return fmt::format(R"(, "spec": {{"nodeName": "{}", "containers": [{{"name": "c", "ports": [
          {{"containerPort": {}}}, {{"containerPort": 81}}]}}]}}, "status": {{"podIP": "{}"}})",
                         Name(), 80 + Below(3), Below(5) == 0 ? "" : Address());
    }
    if (resource == "nodes") {
      return fmt::format(
          R"(, "status": {{"addresses": [{{"type": "InternalIP", "address": "{}"}}]}})", Address());
    }
    if (resource == "services") {
      return fmt::format(R"(, "spec": {{"ports": [{{"port": {}}}], "ipFamilies": ["{}"],
          "ipFamilyPolicy": "PreferDualStack"}})",
                         Below(9), Below(3) == 0 ? "IPv6" : "IPv4");
    }
    if (resource == "endpoints") {
      return fmt::format(R"(, "subsets": [{{"ports": [{{"port": 80}}], "addresses": [
          {{"ip": "{}", "targetRef": {}, "nodeName": "{}"}}, {{"ip": "{}", "targetRef": {}}}]}}])",
                         Address(), Target(space), Name(), Address(), Target(space));
    }
    if (resource == "endpointslices") {
      return fmt::format(R"(, "addressType": "IPv4", "ports": [{{"port": 80}}], "endpoints": [
          {{"addresses": ["{}"], "targetRef": {}, "nodeName": "{}"}}])",
                         Address(), Target(space), Name());
    }
    if (resource == "ingresses") {
      return fmt::format(R"(, "spec": {{"rules": [{{"host": "h{}"}}]}})", Below(3));
    }
    return "";
  }

  FakeKubernetes& api_;
  std::mt19937_64 random_;
};

void Disturb(KubernetesWorld& world, Cluster& cluster) {
  SimServer& server = *world.network.Find("k8s.test:80");
  switch (cluster.Below(8)) {
    case 0:
      return world.api.EndWatches(FakeKubernetes::Ending::kInOrder);
    case 1:
      return world.api.EndWatches(FakeKubernetes::Ending::kInTheMiddle);
    case 2:
      return world.api.Forget();
    case 3:
      return world.api.SendRaw("pods", R"({"type": "ERROR", "object": {"code": 410}})");
    case 4:
      world.api.SendRaw("services", "}{");
      return;
    case 5:
      server.faults.error = 0.3;
      server.faults.error_status = 500;
      server.faults.lose_request = 0.2;
      server.faults.cut = 0.2;
      return;
    case 6:
      world.api.page_max = 1 + cluster.Below(5);
      world.api.bookmarks = cluster.Below(2) == 0;
      return;
    default:
      server.faults = {};
      server.faults.piece_bytes_max = cluster.Below(2) * 50;
  }
}

TEST_CASE("kubernetes_sd: whatever happens, in the end all roles know what a fresh look finds") {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 10; seed++) {
    INFO("seed " << seed);
    KubernetesWorld world;
    Cluster cluster(world.api, seed);
    for (int i = 0; i < 30; i++) cluster.Change();
    world.Apply(AllJobs());
    for (int step = 0; step < 150; step++) {
      for (auto n = cluster.Below(4); n > 0; n--) cluster.Change();
      if (cluster.Below(10) == 0) Disturb(world, cluster);
      world.Run(milliseconds(10 + cluster.Below(1500)));
    }
    world.network.Find("k8s.test:80")->faults = {};
    world.Run(seconds(100));

    DiscoveryWorld fresh;
    SimTransport http(world.network, fresh.loop, "fresh");
    std::map<std::string, std::vector<TargetGroup>> found;
    Discovery discovery(
        {world.loop, fresh.files, world.http, fresh.dns_transport},
        [&](const std::string& job, std::vector<TargetGroup> groups) { found[job] = groups; },
        [](const std::string&) {});
    Config config;
    config.scrape_configs = AllJobs();
    discovery.Apply(config);
    world.Run(seconds(10));
    size_t targets = 0;
    for (const ScrapeConfig& job : config.scrape_configs) {
      INFO(job.job_name);
      REQUIRE(world.groups[job.job_name] == found[job.job_name]);
      targets += found[job.job_name].size();
    }
    CHECK(targets > 20);
  }
}

}  // namespace
}  // namespace tributary
