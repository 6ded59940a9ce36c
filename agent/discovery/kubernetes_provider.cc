#include "agent/discovery/kubernetes_provider.h"

#include <algorithm>
#include <utility>

namespace tributary {
namespace {

constexpr nanoseconds kRefreshSpacing = seconds(1);
constexpr nanoseconds kAccessInterval = seconds(30);

}  // namespace

KubernetesProvider::KubernetesProvider(SdEnvironment& environment, KubernetesSdConfig config,
                                       std::function<void()> changed)
    : environment_(environment),
      config_(std::move(config)),
      changed_(std::move(changed)),
      timer_(environment.loop) {
  if (IsWholeCluster()) {
    namespaces_.try_emplace("");
  } else {
    for (const std::string& name : config_.namespaces) namespaces_.try_emplace(name);
  }
}

bool KubernetesProvider::IsWholeCluster() const {
  const bool named = !config_.namespaces.empty() || config_.own_namespace;
  return config_.role == KubeRole::kNode || !named;
}

void KubernetesProvider::Adopt(const Provider& predecessor) {
  const auto* other = dynamic_cast<const KubernetesProvider*>(&predecessor);
  if (other == nullptr) return;
  KubernetesSdConfig same = other->config_;
  same.http = config_.http;
  same.namespaces = config_.namespaces;
  same.own_namespace = config_.own_namespace;
  if (same != config_) return;
  for (const auto& [name, known] : other->namespaces_) {
    const bool may_be_own = config_.own_namespace && !IsWholeCluster();
    const bool wanted = namespaces_.contains(name) || may_be_own;
    if (wanted && namespaces_[name].adopted.empty()) namespaces_[name].adopted = known.Groups();
  }
}

void KubernetesProvider::AppendErrors(std::vector<std::string>& errors) const {
  if (!error_.empty()) errors.push_back(error_);
  for (const auto& [name, of_namespace] : namespaces_) {
    if (of_namespace.targets != nullptr) of_namespace.targets->AppendErrors(errors);
  }
}

void KubernetesProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  for (const auto& [name, of_namespace] : namespaces_) {
    if (of_namespace.targets != nullptr) {
      of_namespace.targets->AppendGroups(groups);
      continue;
    }
    for (const auto& [key, found] : of_namespace.adopted) {
      groups.insert(groups.end(), found.begin(), found.end());
    }
  }
}

void KubernetesProvider::FindAccess() {
  Result<KubeAccess> access = FindKubeAccess(config_, environment_.files, environment_.getenv);
  if (access) {
    error_.clear();
    return Begin(*access);
  }
  std::string error = "kubernetes_sd: " + access.error().message;
  if (error != error_) environment_.warn(error);
  error_ = std::move(error);
  settled_ = true;
  timer_.SetAfter(kAccessInterval, [this] { FindAccess(); });
}

void KubernetesProvider::Begin(const KubeAccess& access) {
  settled_ = false;
  if (!IsWholeCluster()) {
    if (!access.own_namespace.empty()) namespaces_.try_emplace(access.own_namespace);
    // What was adopted in case that it is the own one, and is not.
    std::erase_if(namespaces_, [&](const auto& entry) {
      const auto& names = config_.namespaces;
      return entry.first != access.own_namespace &&
             std::find(names.begin(), names.end(), entry.first) == names.end();
    });
  }
  for (auto& [name, of_namespace] : namespaces_) {
    of_namespace.targets =
        std::make_unique<KubeTargets>(environment_.kubernetes, environment_.counters.kubernetes,
                                      KubeTargets::Scope{config_, access, name},
                                      std::exchange(of_namespace.adopted, {}), [this] { Dirty(); });
  }
  Refresh();  // others may have listed all of it
}

void KubernetesProvider::Dirty() {
  if (timer_.active()) return;
  const MonotonicTime now = environment_.loop.Now();
  timer_.Set(settled_ ? std::max(now, refreshed_ + kRefreshSpacing) : now, [this] { Refresh(); });
}

void KubernetesProvider::Refresh() {
  refreshed_ = environment_.loop.Now();
  bool changed = false;
  std::string problem;
  for (auto& [name, of_namespace] : namespaces_) {
    if (of_namespace.targets->Refresh(problem)) changed = true;
  }
  settled_ = settled_ || std::all_of(namespaces_.begin(), namespaces_.end(), [](const auto& entry) {
               return entry.second.targets->tried();
             });
  if (!problem.empty() && problem != problem_) environment_.warn("kubernetes_sd: " + problem);
  if (!problem.empty()) problem_ = std::move(problem);
  if (!changed) return;
  environment_.counters.received_updates++;
  changed_();
}

}  // namespace tributary
