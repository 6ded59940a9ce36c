// The targets of one entry of kubernetes_sd_configs in one namespace, or in all of them: watches
// the objects of its role and those that its labels come from, and builds anew what a change
// touches. Follows prometheus/prometheus discovery/kubernetes (3.16), but for this: a target hears
// of every change of what its labels come from, also of those that Prometheus learns only with the
// next event of the target's own object.
//
// Nothing is built before all that is looked at has been listed once; for the roles endpoints and
// endpointslice, replica sets and jobs may come later. Control loop only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/discovery/kubernetes/access.h"
#include "agent/discovery/kubernetes/apis.h"
#include "agent/discovery/kubernetes/counters.h"
#include "agent/discovery/kubernetes/roles.h"
#include "agent/discovery/kubernetes/watcher.h"
#include "agent/target/group_packer.h"
#include "common/config/model.h"

namespace tributary {

// By the key of the object that they are made of.
using KubeGroups = std::map<std::string, std::vector<TargetGroup>>;

class KubeTargets : private KubeListener {
 public:
  struct Scope {
    const KubernetesSdConfig& config;
    const KubeAccess& access;
    std::string namespace_name;  // "": all
  };

  // `known` are groups to begin with, until the first are built. `dirty` is called whenever Refresh
  // may have something to do; not from inside the constructor.
  KubeTargets(KubeApis& apis, KubeCounters& counters, const Scope& scope, const KubeGroups& known,
              std::function<void()> dirty);
  ~KubeTargets() override;
  KubeTargets(const KubeTargets&) = delete;
  KubeTargets& operator=(const KubeTargets&) = delete;

  // Builds what has changed; whether any group is another one than before. `problem` becomes what a
  // person should know, if there is something.
  bool Refresh(std::string& problem);
  // All that is looked at has been listed, or could not be.
  bool tried() const;
  // Of what is watched for it.
  void AppendErrors(std::vector<std::string>& errors) const;
  // As they were built last.
  KubeGroups Groups() const;
  void AppendGroups(std::vector<TargetGroup>& groups) const;

 private:
  void OnChange(const KubeWatcher& watcher, const std::string& key, KubeChange change,
                bool differs) override;
  void OnProgress() override { dirty_(); }
  const KubeWatcher* Watch(const Scope& scope, KubeApis& apis, KubeResource resource);
  void Count(const KubeWatcher& watcher, KubeChange change, uint64_t times);
  bool Synced() const;
  void FindTouched();
  bool BuildOne(const std::string& key, std::string& problem);
  std::vector<std::string> Pack(const std::vector<TargetGroup>& groups);

  KubeCounters& counters_;
  const KubeRole role_;
  const std::function<void()> dirty_;
  std::vector<std::shared_ptr<KubeWatcher>> watchers_;
  const KubeWatcher* objects_ = nullptr;  // of the role itself
  KubeStores stores_;
  GroupPacker packer_;
  std::map<std::string, std::vector<std::string>> groups_;  // as KubeGroups, packed
  bool built_ = false;
  std::set<std::string> changed_;  // of the role's objects
  KubeTouched touched_;
};

}  // namespace tributary
