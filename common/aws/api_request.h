// Calls of AWS' APIs, in the two protocols that discovery speaks: EC2's query protocol (a form,
// answered in XML) and JSON 1.1. Pure functions.
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

  // As policies name it: "ec2:DescribeInstances".
  std::string IamAction() const { return service + ":" + action; }
};

using AwsParameters = std::map<std::string, std::string>;

AwsApiRequest Ec2Request(const std::string& action, const AwsParameters& parameters);
// `body` is JSON.
AwsApiRequest EcsRequest(const std::string& action, std::string body);

// Name.1=a&Name.2=b
void AddList(AwsParameters& parameters, const std::string& name,
             const std::vector<std::string>& values);

}  // namespace tributary
