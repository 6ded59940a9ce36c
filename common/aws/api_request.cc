#include "common/aws/api_request.h"

#include <utility>

#include "common/http/query.h"

namespace tributary {
namespace {

constexpr char kEc2Version[] = "2016-11-15";
constexpr char kEcsTarget[] = "AmazonEC2ContainerServiceV20141113.";

}  // namespace

AwsApiRequest Ec2Request(const std::string& action, const AwsParameters& parameters) {
  std::map<std::string, std::vector<std::string>> form = {{"Action", {action}},
                                                          {"Version", {kEc2Version}}};
  for (const auto& [name, value] : parameters) form[name] = {value};
  return {
      "ec2", action, {{"Content-Type", "application/x-www-form-urlencoded"}}, EncodeQuery(form)};
}

AwsApiRequest EcsRequest(const std::string& action, std::string body) {
  return {"ecs",
          action,
          {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", kEcsTarget + action}},
          std::move(body)};
}

void AddList(AwsParameters& parameters, const std::string& name,
             const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); i++) {
    parameters[name + "." + std::to_string(i + 1)] = values[i];
  }
}

}  // namespace tributary
