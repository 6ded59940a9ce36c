// Where the services of AWS are. Source: aws-sdk-go-v2
// internal/endpoints/awsrulesfn/partitions.json and config/resolve.go.
//
// Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/aws/profile.h"
#include "common/base/status.h"

namespace tributary {

// "https://ec2.eu-west-1.amazonaws.com". An error for what cannot be a region.
Result<std::string> AwsServiceUrl(std::string_view name, const std::string& region);

// What the environment or the profile says instead: AWS_ENDPOINT_URL_<service> with the service in
// capitals, AWS_ENDPOINT_URL, endpoint_url of the profile. "": nothing, or it is to be ignored.
std::string ConfiguredAwsEndpoint(std::string_view service, const AwsProfile& profile,
                                  const AwsGetenv& getenv);

}  // namespace tributary
