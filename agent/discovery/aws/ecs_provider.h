// One entry of ecs_sd_configs, or of aws_sd_configs with the role ecs: asks ECS for its tasks.
// Follows prometheus/prometheus discovery/aws/ecs.go (3.16), but that a cluster which cannot be
// looked at keeps its last good targets, and that `per_container` finds containers. Control loop
// only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/discovery/aws/aws_provider.h"
#include "agent/discovery/aws/ecs_refresh.h"
#include "common/config/model.h"

namespace tributary {

class EcsProvider : public AwsProvider {
 public:
  EcsProvider(SdEnvironment& environment, EcsSdConfig config, const std::string& job,
              std::function<void()> changed);

 private:
  void Refresh() override;
  bool FindsTheSame(const AwsProvider& other) const override;
  void Take(EcsRefresh::Found found);

  const EcsSdConfig config_;
  EcsRefresh::Definitions definitions_;  // of tasks that were found last, or before a failure
  std::unique_ptr<EcsRefresh> refresh_;  // under way, or the last one
};

}  // namespace tributary
