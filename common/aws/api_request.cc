#include "common/aws/api_request.h"

#include <utility>

#include "common/http/query.h"

namespace tributary {
namespace {

constexpr char kEc2Version[] = "2016-11-15";
constexpr char kEcsTarget[] = "AmazonEC2ContainerServiceV20141113.";
constexpr char kSsmTarget[] = "AmazonSSM.";
// SHA-256 of the empty body, which S3 wants to be told and signed.
constexpr char kEmptyHash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

AwsApiRequest JsonRequest(const std::string& service, const std::string& target,
                          const std::string& action, std::string body) {
  return {service,
          action,
          {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", target + action}},
          std::move(body)};
}

}  // namespace

AwsApiRequest Ec2Request(const std::string& action, const AwsParameters& parameters) {
  std::map<std::string, std::vector<std::string>> form = {{"Action", {action}},
                                                          {"Version", {kEc2Version}}};
  for (const auto& [name, value] : parameters) form[name] = {value};
  return {
      "ec2", action, {{"Content-Type", "application/x-www-form-urlencoded"}}, EncodeQuery(form)};
}

AwsApiRequest EcsRequest(const std::string& action, std::string body) {
  return JsonRequest("ecs", kEcsTarget, action, std::move(body));
}

AwsApiRequest SsmRequest(const std::string& action, std::string body) {
  return JsonRequest("ssm", kSsmTarget, action, std::move(body));
}

AwsApiRequest S3GetRequest(const std::string& bucket, const std::string& key) {
  return {"s3",   "GetObject",          {{"X-Amz-Content-Sha256", kEmptyHash}}, "", "GET",
          bucket, EscapeBytes(key, "/")};
}

void AddList(AwsParameters& parameters, const std::string& name,
             const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); i++) {
    parameters[name + "." + std::to_string(i + 1)] = values[i];
  }
}

}  // namespace tributary
