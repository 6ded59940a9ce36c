#include "agent/discovery/aws/ec2_provider.h"

#include <utility>

#include "agent/discovery/aws/ec2_targets.h"

namespace tributary {
namespace {

constexpr char kZonesAction[] = "ec2:DescribeAvailabilityZones";
constexpr char kInstancesAction[] = "ec2:DescribeInstances";

AwsFailure BadAnswer(const char* action, std::string message) {
  return {action, {AwsApiError::Kind::kAnswer, "", std::move(message)}};
}

}  // namespace

Ec2Provider::Ec2Provider(SdEnvironment& environment, Ec2SdConfig config, const std::string& job,
                         std::function<void()> changed)
    : AwsProvider(environment, config.access, "ec2", job, config.refresh_interval,
                  std::move(changed)),
      config_(std::move(config)) {}

bool Ec2Provider::FindsTheSame(const AwsProvider& other) const {
  const auto& before = static_cast<const Ec2Provider&>(other).config_;
  Ec2SdConfig same = config_;
  same.refresh_interval = before.refresh_interval;
  same.access.http = before.access.http;
  return same == before;
}

void Ec2Provider::Refresh() {
  found_.clear();
  pages_ = 0;
  if (zone_ids_) return AskInstances("");
  AskZones();
}

void Ec2Provider::AskZones() {
  api().Start(Ec2Request("DescribeAvailabilityZones", {}), [this](AwsResult<std::string> answer) {
    const std::string consequence = "__meta_ec2_availability_zone_id is missing";
    if (!answer && answer.error().kind == AwsApiError::Kind::kCredentials) {
      // The next call will say so.
    } else if (!answer) {
      Warn({kZonesAction, answer.error()}, consequence);
    } else if (auto zones = ReadAvailabilityZones(*answer); !zones) {
      Warn(BadAnswer(kZonesAction, zones.error().message), consequence);
    } else {
      zone_ids_ = *std::move(zones);
    }
    AskInstances("");
  });
}

void Ec2Provider::AskInstances(const std::string& token) {
  AwsParameters parameters = {{"MaxResults", "1000"}};
  for (size_t i = 0; i < config_.filters.size(); i++) {
    const std::string filter = "Filter." + std::to_string(i + 1);
    parameters[filter + ".Name"] = config_.filters[i].name;
    AddList(parameters, filter + ".Value", config_.filters[i].values);
  }
  if (!token.empty()) parameters["NextToken"] = token;
  api().Start(Ec2Request("DescribeInstances", parameters), [this](AwsResult<std::string> answer) {
    if (!answer) return Fail({kInstancesAction, answer.error()});
    TakeInstances(*answer);
  });
}

void Ec2Provider::TakeInstances(const std::string& answer) {
  const auto page = ReadInstances(answer);
  if (!page) return Fail(BadAnswer(kInstancesAction, page.error().message));
  AddTargets(page->items);
  if (page->next.empty()) return Succeed({{"", std::move(found_)}});
  if (++pages_ == kPagesMax) {
    return Fail(BadAnswer(kInstancesAction, "has more than a million instances, or no end"));
  }
  AskInstances(page->next);
}

void Ec2Provider::AddTargets(const std::vector<Ec2Instance>& instances) {
  Ec2Surroundings surroundings{api().region(), {}, config_.port};
  if (zone_ids_) surroundings.zone_ids = *zone_ids_;
  for (const Ec2Instance& instance : instances) {
    if (auto target = MakeEc2Target(instance, surroundings)) found_.push_back(*std::move(target));
  }
}

}  // namespace tributary
