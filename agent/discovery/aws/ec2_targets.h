// Targets of EC2's instances. Follows prometheus/prometheus discovery/aws/ec2.go (3.16).
//
// Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/discovery/aws/ec2_answers.h"
#include "common/config/model.h"

namespace tributary {

struct Ec2Surroundings {
  std::string region;
  std::map<std::string, std::string> zone_ids;  // by the zones' names
  int64_t port = 80;
};

// One target; nullopt for an instance without an address: IPv6 ones count in a VPC only.
std::optional<TargetGroup> MakeEc2Target(const Ec2Instance& instance,
                                         const Ec2Surroundings& surroundings);

// Adds the tags as labels whose names begin with `prefix`. What cannot be in a label's name becomes
// '_', each character for itself; of tags that become the same the last counts.
void AddTagLabels(const AwsTags& tags, std::string_view prefix, Labels& labels);

}  // namespace tributary
