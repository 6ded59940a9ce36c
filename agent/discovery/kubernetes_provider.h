// One entry of kubernetes_sd_configs: watches the objects of a cluster and makes targets of them.
// Follows prometheus/prometheus discovery/kubernetes/kubernetes.go (3.16).
//
// Changes are told at once, but at most once a second. While the API cannot be asked, what was
// found last stays. An access that cannot be made out (no pod, a bad kubeconfig_file) is told,
// counts as a failed configuration and is tried again every 30 seconds. Control loop only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/discovery/kubernetes/targets.h"
#include "agent/discovery/provider.h"

namespace tributary {

class KubernetesProvider : public Provider {
 public:
  KubernetesProvider(SdEnvironment& environment, KubernetesSdConfig config,
                     std::function<void()> changed);

  // The groups of the same namespaces, of one that asks the same server for the same.
  void Adopt(const Provider& predecessor) override;
  void Start() override { FindAccess(); }
  bool settled() const override { return settled_; }
  bool failed() const override { return !error_.empty(); }
  void AppendErrors(std::vector<std::string>& errors) const override;
  void AppendGroups(std::vector<TargetGroup>& groups) const override;
  void Collect(MetricSink&) const override {}

 private:
  struct Namespace {
    KubeGroups adopted;
    std::unique_ptr<KubeTargets> targets;  // null until the access is known
    KubeGroups Groups() const { return targets == nullptr ? adopted : targets->Groups(); }
  };

  // Not a namespace each; nodes are in none.
  bool IsWholeCluster() const;
  void FindAccess();
  void Begin(const KubeAccess& access);
  void Dirty();
  void Refresh();

  SdEnvironment& environment_;
  const KubernetesSdConfig config_;
  const std::function<void()> changed_;
  std::map<std::string, Namespace> namespaces_;  // by name; "": all
  bool settled_ = false;
  MonotonicTime refreshed_{};
  Timer timer_;          // of the next refresh, or try for the access
  std::string error_;    // why there is no access; empty: there is
  std::string problem_;  // with the objects, as last told
};

}  // namespace tributary
