#include "common/config_source/location.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace tributary {
namespace {

using Kind = ConfigLocation::Kind;

constexpr std::string_view kEnvironment = "env:";
constexpr std::string_view kSsm = "ssm:";
constexpr std::string_view kS3 = "s3://";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
// Limits of the services; the names are checked further by them.
constexpr size_t kParameterNameMax = 2048;
constexpr size_t kBucketMin = 3, kBucketMax = 63;
constexpr size_t kKeyMax = 1024;

bool HasOnly(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return kDigits.find(c) != std::string_view::npos || kLower.find(c) != std::string_view::npos ||
           kUpper.find(c) != std::string_view::npos || others.find(c) != std::string_view::npos;
  });
}

tl::unexpected<Error> Refuse(const ConfigLocation& location, const std::string& why) {
  return Fail("'" + location.text + "' is no place of a configuration: " + why);
}

Result<ConfigLocation> Environment(ConfigLocation location) {
  location.kind = Kind::kEnvironment;
  location.name = location.text.substr(kEnvironment.size());
  if (location.name.empty() || !HasOnly(location.name, "_") ||
      kDigits.find(location.name.front()) != std::string_view::npos) {
    return Refuse(location, "env: is followed by the name of a variable, as env:AGENT_CONFIG");
  }
  return location;
}

// arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME
Result<ConfigLocation> OfArn(ConfigLocation location) {
  std::array<std::string_view, 5> parts;
  std::string_view rest = location.name;
  for (std::string_view& part : parts) {
    const size_t end = std::min(rest.find(':'), rest.size());
    part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (parts[2] != "ssm" || parts[3].empty() || !rest.starts_with("parameter/") ||
      rest.size() == std::string_view("parameter/").size()) {
    return Refuse(location, "a parameter's ARN is arn:aws:ssm:REGION:ACCOUNT:parameter/NAME");
  }
  location.region = parts[3];
  return location;
}

Result<ConfigLocation> Ssm(ConfigLocation location) {
  location.kind = Kind::kSsm;
  location.name = location.text.substr(kSsm.size());
  if (location.name.empty() || location.name.size() > kParameterNameMax ||
      !HasOnly(location.name, "_.-/:")) {
    return Refuse(location, "ssm: is followed by a parameter's name or ARN, as ssm:/agents/config");
  }
  return location.name.starts_with("arn:") ? OfArn(std::move(location)) : std::move(location);
}

Result<ConfigLocation> S3(ConfigLocation location) {
  location.kind = Kind::kS3;
  const std::string rest = location.text.substr(kS3.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  location.bucket = rest.substr(0, slash);
  location.name = rest.substr(std::min(slash + 1, rest.size()));
  if (location.bucket.size() < kBucketMin || location.bucket.size() > kBucketMax ||
      !std::all_of(location.bucket.begin(), location.bucket.end(), [](char c) {
        return (kUpper.find(c) == std::string_view::npos && HasOnly({&c, 1}, "-."));
      })) {
    return Refuse(location, "the bucket's name has 3 to 63 of a-z, 0-9, '-' and '.'");
  }
  if (location.name.empty() || location.name.size() > kKeyMax) {
    return Refuse(location, "the object's key is missing or too long, as s3://bucket/agent.yml");
  }
  return location;
}

}  // namespace

Result<ConfigLocation> ParseConfigLocation(const std::string& text) {
  ConfigLocation location;
  location.text = text;
  if (text.starts_with(kEnvironment)) return Environment(std::move(location));
  if (text.starts_with(kSsm)) return Ssm(std::move(location));
  if (text.starts_with(kS3)) return S3(std::move(location));
  location.name = text;
  return location;
}

}  // namespace tributary
