#include "common/config_source/config_fetch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tributary {
namespace {

using Kind = ConfigLocation::Kind;
using ErrorKind = AwsApiError::Kind;

constexpr nanoseconds kFirstPause = seconds(1);
constexpr nanoseconds kLongestPause = seconds(8);
constexpr size_t kReasonBytesMax = 500;

AwsSdAccess AccessTo(const ConfigLocation& location, const AwsGetenv& getenv) {
  AwsSdAccess access;
  access.region = location.region;
  access.http.follow_redirects = false;
  access.http.proxy.proxy_from_environment = true;
  access.http.tls.ca_file = AwsVariable(getenv, "AWS_CA_BUNDLE");
  return access;
}

bool MayPass(const AwsApiError& error) {
  return IsRetryable(error) || error.kind == ErrorKind::kCredentials ||
         error.kind == ErrorKind::kExpired;
}

std::string Advice(const AwsApiError& error, bool ssm) {
  if (error.kind == ErrorKind::kDenied) {
    return ssm ? "; allow ssm:GetParameter, and kms:Decrypt of a SecureString's own key, in a "
                 "policy of the role"
               : "; allow s3:GetObject in a policy of the role";
  }
  if (error.kind == ErrorKind::kRefused) {
    return "; the credentials are not good, or not for this region";
  }
  if (error.code == "PermanentRedirect" || error.code == "AuthorizationHeaderMalformed") {
    return "; the bucket is in another region: set AWS_REGION";
  }
  return "";
}

// {"Parameter": {"Value": "..."}}
Result<std::string> ValueOfParameter(const std::string& answer) {
  const nlohmann::json json = nlohmann::json::parse(answer, nullptr, false);
  if (json.is_object() && json.contains("Parameter") && json["Parameter"].is_object()) {
    const auto value = json["Parameter"].find("Value");
    if (value != json["Parameter"].end() && value->is_string()) return value->get<std::string>();
  }
  return Fail("ssm:GetParameter: the answer has no value");
}

}  // namespace

ConfigFetch::ConfigFetch(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                         AwsGetenv getenv, ConfigLocation location)
    : loop_(loop),
      location_(std::move(location)),
      getenv_(std::move(getenv)),
      api_(loop, transport, files, getenv_, AccessTo(location_, getenv_), "", counters_),
      again_(loop),
      deadline_timer_(loop) {}

void ConfigFetch::Start(nanoseconds deadline, Done done) {
  done_ = std::move(done);
  deadline_ = deadline;
  pause_ = kFirstPause;
  last_error_.clear();
  deadline_timer_.SetAfter(deadline, [this] {
    if (last_error_.empty()) failures_++;
    GiveError(fmt::format("nothing in {} s{}", deadline_ / seconds(1),
                          last_error_.empty() ? "" : "; at last: " + last_error_));
  });
  again_.Set(loop_.Now(), [this] { Try(); });
}

AwsApiRequest ConfigFetch::Request() const {
  if (location_.kind == Kind::kS3) return S3GetRequest(location_.bucket, location_.name);
  return SsmRequest("GetParameter",
                    nlohmann::json{{"Name", location_.name}, {"WithDecryption", true}}.dump());
}

void ConfigFetch::Try() {
  tries_++;
  if (location_.kind == Kind::kEnvironment) {
    const char* value = getenv_(location_.name.c_str());
    if (value != nullptr) return Read(value);
    failures_++;
    return GiveError("there is no such variable in the agent's environment");
  }
  api_.Start(Request(), [this, of = ++current_](const AwsResult<std::string>& answer) {
    OnAnswer(of, answer);
  });
}

void ConfigFetch::OnAnswer(uint64_t of, const AwsResult<std::string>& answer) {
  if (of != current_ || done_ == nullptr) return;
  if (answer) return Read(*answer);
  failures_++;
  const bool ssm = location_.kind == Kind::kSsm;
  const AwsApiError& error = answer.error();
  last_error_ =
      Request().IamAction() + ": " + error.message.substr(0, kReasonBytesMax) + Advice(error, ssm);
  if (!MayPass(error)) return GiveError(last_error_);
  again_.SetAfter(pause_, [this] { Try(); });
  pause_ = std::min(2 * pause_, kLongestPause);
}

void ConfigFetch::Read(const std::string& answer) {
  Result<std::string> text = answer;
  if (location_.kind == Kind::kSsm) text = ValueOfParameter(answer);
  if (text && text->size() > kFetchedConfigBytesMax) {
    text = Fail(fmt::format("larger than {} MiB", kFetchedConfigBytesMax >> 20));
  }
  if (text) return Give(std::move(text));
  failures_++;
  GiveError(text.error().message);
}

void ConfigFetch::GiveError(const std::string& why) { Give(Fail(location_.text + ": " + why)); }

void ConfigFetch::Give(Result<std::string> text) {
  current_++;
  again_.Cancel();
  deadline_timer_.Cancel();
  const Done done = std::exchange(done_, nullptr);
  done(std::move(text));
}

}  // namespace tributary
