// One entry of ec2_sd_configs, or of aws_sd_configs with the role ec2: asks EC2 for its instances.
// Follows prometheus/prometheus discovery/aws/ec2.go (3.16).
//
// Instances are asked for in pages of 1000, and at most kPagesMax of them. The ids of availability
// zones are asked for until they were had once; without them a label is missing. Control loop only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/discovery/aws/aws_provider.h"
#include "agent/discovery/aws/ec2_answers.h"
#include "common/config/model.h"

namespace tributary {

class Ec2Provider : public AwsProvider {
 public:
  static constexpr size_t kPagesMax = 1000;

  Ec2Provider(SdEnvironment& environment, Ec2SdConfig config, const std::string& job,
              std::function<void()> changed);

 private:
  void Refresh() override;
  bool FindsTheSame(const AwsProvider& other) const override;

  void AskZones();
  void AskInstances(const std::string& token);
  void TakeInstances(const std::string& answer);
  void AddTargets(const std::vector<Ec2Instance>& instances);

  const Ec2SdConfig config_;
  std::optional<std::map<std::string, std::string>> zone_ids_;
  // Of the refresh under way.
  std::vector<TargetGroup> found_;
  size_t pages_ = 0;
};

}  // namespace tributary
