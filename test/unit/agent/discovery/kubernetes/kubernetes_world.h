// Discovery in a simulated cluster.
#pragma once

#include <string>
#include <vector>

#include "test/unit/agent/discovery/discovery_world.h"
#include "test/unit/agent/discovery/kubernetes/fake_kubernetes.h"

namespace tributary {

// A job "j" that looks for the role at http://k8s.test.
ScrapeConfig KubernetesJob(KubeRole role);

// One target a line, sorted: "source address name=value ...", without __meta_kubernetes_ in front.
std::string TargetLines(const std::vector<TargetGroup>& groups);

struct KubernetesWorld : DiscoveryWorld {
  // Applies the job and waits until everything has been listed.
  void Discover(const ScrapeConfig& job);
  std::string Lines() const { return TargetLines(*discovery.SettledGroups("j")); }
  double Events(const std::string& role, const std::string& event) const {
    return Metric("prometheus_sd_kubernetes_events_total role=" + role + " event=" + event);
  }
  double Failures() const { return Metric("prometheus_sd_kubernetes_failures_total"); }

  FakeKubernetes api{network, loop};
};

// A pod of one container with one port 80; `more` goes into its metadata: R"(, "uid": "x")".
std::string PodJson(const std::string& space, const std::string& name, const std::string& ip,
                    const std::string& node = "n1", const std::string& more = "");

}  // namespace tributary
