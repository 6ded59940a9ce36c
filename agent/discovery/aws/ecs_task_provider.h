// One entry of ecs_task_sd_configs, which is Tributary's own: the other containers of the task that
// the agent is a sidecar in, and the statistics of all of them. What they are is in
// ecs_task_metadata.h.
//
// The endpoint is what ECS_CONTAINER_METADATA_URI_V4 names; without it there is nothing to ask,
// which is told once. What fails is told when it is new, and leaves the last good targets;
// statistics that cannot be had are not shown, as old ones would look like a process that does
// nothing. Answers are 4 MiB at most, in 5 s. Several entries find the same: one of them shows the
// statistics. Control loop only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/aws/ecs_task_metadata.h"
#include "agent/discovery/provider.h"
#include "agent/discovery/refresher.h"

namespace tributary {

class EcsTaskProvider : public Provider, private HttpHandler {
 public:
  EcsTaskProvider(SdEnvironment& environment, const EcsTaskSdConfig& config, const std::string& job,
                  std::function<void()> changed);
  ~EcsTaskProvider() override;

  void Adopt(const Provider& predecessor) override;
  void Start() override;
  bool settled() const override { return failed() || task_ || refresher_.ended_once(); }
  bool failed() const override { return uri_.empty(); }
  void AppendErrors(std::vector<std::string>& errors) const override;
  void AppendGroups(std::vector<TargetGroup>& groups) const override;
  void Collect(MetricSink& sink) const override;

 private:
  // Asked one after the other.
  enum class Question : uint8_t { kOwnContainer, kTask, kStats };

  void Ask(Question question);
  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const HttpOutcome& outcome) override;
  Status Take();
  void End(const Status& status);

  SdEnvironment& environment_;
  const std::string uri_;  // "": it is not given
  const std::function<void()> changed_;
  Refresher refresher_;
  HttpRequestId request_ = 0;
  Question question_ = Question::kOwnContainer;
  std::string refusal_;  // why the answer that arrives is not good; "": it may be
  std::string body_;
  std::string own_id_;
  std::optional<EcsOwnTask> task_;  // nullopt: not yet
  std::vector<TargetGroup> groups_;
  std::optional<EcsTaskStats> stats_;
  std::string error_;  // of the last try; "": it went well
};

}  // namespace tributary
