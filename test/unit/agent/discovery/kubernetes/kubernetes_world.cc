#include "test/unit/agent/discovery/kubernetes/kubernetes_world.h"

#include <algorithm>

#include <fmt/format.h>

#include "test/support/catch.h"

namespace tributary {

ScrapeConfig KubernetesJob(KubeRole role) {
  ScrapeConfig job;
  job.job_name = "j";
  KubernetesSdConfig sd;
  sd.role = role;
  sd.api_server = "http://k8s.test";
  job.kubernetes_sd_configs = {sd};
  return job;
}

std::string TargetLines(const std::vector<TargetGroup>& groups) {
  std::vector<std::string> lines;
  for (const TargetGroup& group : groups) {
    REQUIRE(group.targets.size() == 1);
    std::string line = group.source + " " + group.targets[0];
    for (const Label& label : group.labels) {
      constexpr std::string_view kPrefix = "__meta_kubernetes_";
      const bool meta = label.name.starts_with(kPrefix);
      line += " " + label.name.substr(meta ? kPrefix.size() : 0) + "=" + label.value;
    }
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void KubernetesWorld::Discover(const ScrapeConfig& job) {
  Apply({job});
  Run(seconds(1));
  REQUIRE(discovery.SettledGroups("j"));
}

std::string PodJson(const std::string& space, const std::string& name, const std::string& ip,
                    const std::string& node, const std::string& more) {
  return fmt::format(
      R"({{"metadata": {{"namespace": "{}", "name": "{}"{}}},
           "spec": {{"nodeName": "{}", "containers": [
             {{"name": "c", "image": "i", "ports": [{{"containerPort": 80, "protocol": "TCP"}}]}}]}},
           "status": {{"podIP": "{}", "phase": "Running"}}}})",
      space, name, more, node, ip);
}

}  // namespace tributary
