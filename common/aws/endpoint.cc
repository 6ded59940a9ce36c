#include "common/aws/endpoint.h"

#include <algorithm>
#include <utility>

#include "common/http/transport.h"

namespace tributary {

Result<std::string> AwsServiceUrl(std::string_view name, const std::string& region) {
  const bool good = !region.empty() && region.size() <= 63 && region.front() != '-' &&
                    region.back() != '-' && std::all_of(region.begin(), region.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                    });
  if (!good) return Fail("'" + region + "' is no AWS region");
  constexpr std::pair<std::string_view, std::string_view> kPartitions[] = {
      {"cn-", "amazonaws.com.cn"},    {"us-iso-", "c2s.ic.gov"},      {"us-isob-", "sc2s.sgov.gov"},
      {"us-isof-", "csp.hci.ic.gov"}, {"eu-isoe-", "cloud.adc-e.uk"}, {"eusc-", "amazonaws.eu"}};
  std::string_view domain = "amazonaws.com";
  for (const auto& [prefix, other] : kPartitions) {
    if (region.starts_with(prefix)) domain = other;
  }
  return "https://" + std::string(name) + "." + region + "." + std::string(domain);
}

std::string ConfiguredAwsEndpoint(std::string_view service, const AwsProfile& profile,
                                  const AwsGetenv& getenv) {
  if (SameHeaderName(AwsVariable(getenv, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true")) return "";
  const std::string own = "AWS_ENDPOINT_URL_" + std::string(service);
  for (const char* name : {own.c_str(), "AWS_ENDPOINT_URL"}) {
    if (std::string endpoint = AwsVariable(getenv, name); !endpoint.empty()) return endpoint;
  }
  return profile.endpoint_url;
}

}  // namespace tributary
