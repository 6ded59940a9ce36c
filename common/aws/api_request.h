// Calls of AWS' APIs, in the protocols that discovery and the configuration's sources speak: EC2's
// query protocol (a form, answered in XML), JSON 1.1, and S3's GET. Pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/transport.h"

namespace tributary {

struct AwsApiRequest {
  std::string service;  // "ec2": in the host's name and in the signature
  std::string action;   // "DescribeInstances"
  std::vector<HttpHeader> headers;
  std::string body;
  std::string method = "POST";
  // Of S3: in the host's name, or before the path where that cannot be (AwsApiClient).
  std::string bucket{};
  std::string path{};  // escaped, without the slash in front

  // As policies name it: "ec2:DescribeInstances".
  std::string IamAction() const { return service + ":" + action; }
};

using AwsParameters = std::map<std::string, std::string>;

AwsApiRequest Ec2Request(const std::string& action, const AwsParameters& parameters);
// `body` is JSON.
AwsApiRequest EcsRequest(const std::string& action, std::string body);
AwsApiRequest SsmRequest(const std::string& action, std::string body);
// GetObject. The key is as people write it, not escaped.
AwsApiRequest S3GetRequest(const std::string& bucket, const std::string& key);

// Name.1=a&Name.2=b
void AddList(AwsParameters& parameters, const std::string& name,
             const std::vector<std::string>& values);

}  // namespace tributary
