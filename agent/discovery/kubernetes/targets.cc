#include "agent/discovery/kubernetes/targets.h"

#include <algorithm>
#include <utility>

namespace tributary {
namespace {

KubeResource ResourceOf(KubeRole role) {
  switch (role) {
    case KubeRole::kNode:
      return KubeResource::kNodes;
    case KubeRole::kPod:
      return KubeResource::kPods;
    case KubeRole::kService:
      return KubeResource::kServices;
    case KubeRole::kEndpoints:
      return KubeResource::kEndpoints;
    case KubeRole::kEndpointSlice:
      return KubeResource::kEndpointSlices;
    case KubeRole::kIngress:
      break;
  }
  return KubeResource::kIngresses;
}

bool IsEndpoints(KubeRole role) {
  return role == KubeRole::kEndpoints || role == KubeRole::kEndpointSlice;
}

// What is configured for the objects of the resource.
KubeSelector SelectorOf(const KubernetesSdConfig& config, KubeResource resource) {
  for (const auto& [role, selector] : config.selectors) {
    if (ResourceOf(role) == resource) return selector;
  }
  return {};
}

}  // namespace

KubeTargets::KubeTargets(KubeApis& apis, KubeCounters& counters, const Scope& scope,
                         const KubeGroups& known, std::function<void()> dirty)
    : counters_(counters), role_(scope.config.role), dirty_(std::move(dirty)) {
  for (const auto& [key, groups] : known) groups_.emplace(key, Pack(groups));
  const KubernetesSdConfig& config = scope.config;
  objects_ = Watch(scope, apis, ResourceOf(role_));
  if (role_ == KubeRole::kNode) return;
  if (config.attach_namespace) stores_.namespaces = Watch(scope, apis, KubeResource::kNamespaces);
  if (role_ != KubeRole::kPod && !IsEndpoints(role_)) return;
  if (IsEndpoints(role_)) {
    stores_.services = Watch(scope, apis, KubeResource::kServices);
    stores_.pods = Watch(scope, apis, KubeResource::kPods);
  }
  stores_.job_name = config.attach_job;
  if (config.attach_node) stores_.nodes = Watch(scope, apis, KubeResource::kNodes);
  if (config.attach_deployment) {
    stores_.replica_sets = Watch(scope, apis, KubeResource::kReplicaSets);
  }
  // Prometheus watches jobs for their names too, which pods have already.
  if (config.attach_cronjob) stores_.jobs = Watch(scope, apis, KubeResource::kJobs);
}

KubeTargets::~KubeTargets() {
  for (const auto& watcher : watchers_) watcher->RemoveListener(this);
}

const KubeWatcher* KubeTargets::Watch(const Scope& scope, KubeApis& apis, KubeResource resource) {
  const KubeQuery query{resource, IsClusterWide(resource) ? "" : scope.namespace_name,
                        SelectorOf(scope.config, resource)};
  watchers_.push_back(apis.Watch(scope.access, query));
  watchers_.back()->AddListener(this);
  // One that others use already.
  Count(*watchers_.back(), KubeChange::kAdd, watchers_.back()->objects().size());
  return watchers_.back().get();
}

void KubeTargets::Count(const KubeWatcher& watcher, KubeChange change, uint64_t times) {
  const KubeResource resource = watcher.query().resource;
  if (resource == ResourceOf(role_)) {
    counters_.Events(role_, change) += times;
  } else if (resource == KubeResource::kServices) {
    counters_.Events(KubeRole::kService, change) += times;
  } else if (resource == KubeResource::kPods && role_ == KubeRole::kEndpoints &&
             change == KubeChange::kUpdate) {
    counters_.Events(KubeRole::kPod, change) += times;
  }
}

void KubeTargets::OnChange(const KubeWatcher& watcher, const std::string& key, KubeChange change,
                           bool differs) {
  Count(watcher, change, 1);
  if (!differs) return;
  if (&watcher == objects_) changed_.insert(key);
  if (&watcher == stores_.services) touched_.services.insert(key);
  if (&watcher == stores_.pods) touched_.pods.insert(key);
  if (&watcher == stores_.nodes) touched_.nodes.insert(key);
  if (&watcher == stores_.namespaces) touched_.namespaces.insert(key);
  if (&watcher == stores_.replica_sets) touched_.replica_sets.insert(key);
  if (&watcher == stores_.jobs) touched_.jobs.insert(key);
  dirty_();
}

bool KubeTargets::tried() const {
  return std::all_of(watchers_.begin(), watchers_.end(),
                     [](const auto& watcher) { return watcher->tried(); });
}

bool KubeTargets::Synced() const {
  return std::all_of(watchers_.begin(), watchers_.end(), [this](const auto& watcher) {
    const bool may_be_late = IsEndpoints(role_) && (watcher.get() == stores_.replica_sets ||
                                                    watcher.get() == stores_.jobs);
    return watcher->synced() || may_be_late;
  });
}

// Adds the role's objects that depend on what has changed elsewhere to those that have changed.
void KubeTargets::FindTouched() {
  if (touched_.empty()) return;
  if (stores_.pods != nullptr && !(touched_.replica_sets.empty() && touched_.jobs.empty())) {
    for (const auto& [key, pod] : stores_.pods->objects()) {
      if (DependsOn(KubeRole::kPod, pod.object, touched_)) touched_.pods.insert(key);
    }
  }
  for (const auto& [key, object] : objects_->objects()) {
    if (DependsOn(role_, object.object, touched_)) changed_.insert(key);
  }
}

bool KubeTargets::Refresh(std::string& problem) {
  if (!Synced()) return false;
  bool different = false;
  if (!std::exchange(built_, true)) {
    for (const auto& [key, groups] : groups_) changed_.insert(key);
    for (const auto& [key, object] : objects_->objects()) changed_.insert(key);
  } else {
    FindTouched();
  }
  touched_ = {};
  for (const std::string& key : std::exchange(changed_, {})) {
    if (BuildOne(key, problem)) different = true;
  }
  return different;
}

bool KubeTargets::BuildOne(const std::string& key, std::string& problem) {
  KubeBuild build;
  if (const KubeObject* const object = objects_->Find(key)) {
    build = BuildKubeTargets(role_, *object, stores_);
  }
  if (!build.problem.empty()) problem = build.problem;
  const auto known = groups_.find(key);
  if (build.groups.empty()) {
    if (known == groups_.end()) return false;
    groups_.erase(known);
    return true;
  }
  std::vector<std::string> packed = Pack(build.groups);
  if (known != groups_.end() && known->second == packed) return false;
  groups_.insert_or_assign(key, std::move(packed));
  return true;
}

std::vector<std::string> KubeTargets::Pack(const std::vector<TargetGroup>& groups) {
  std::vector<std::string> packed;
  packed.reserve(groups.size());
  for (const TargetGroup& group : groups) packed.push_back(packer_.Pack(group));
  return packed;
}

KubeGroups KubeTargets::Groups() const {
  KubeGroups all;
  for (const auto& [key, packed] : groups_) {
    std::vector<TargetGroup>& groups = all[key];
    for (const std::string& group : packed) groups.push_back(packer_.Unpack(group));
  }
  return all;
}

void KubeTargets::AppendErrors(std::vector<std::string>& errors) const {
  for (const auto& watcher : watchers_) {
    if (std::string error = watcher->error(); !error.empty()) errors.push_back(std::move(error));
  }
}

void KubeTargets::AppendGroups(std::vector<TargetGroup>& groups) const {
  for (const auto& [key, packed] : groups_) {
    for (const std::string& group : packed) groups.push_back(packer_.Unpack(group));
  }
}

}  // namespace tributary
