#include "agent/discovery/http_provider.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "agent/discovery/target_file.h"
#include "common/base/trim.h"
#include "common/base/version.h"

namespace tributary {
namespace {

constexpr std::string_view kUrlLabel = "__meta_url";
constexpr int kStatusOk = 200;
// Reasons quote what the server sent.
constexpr size_t kReasonBytesMax = 500;

constexpr std::string_view kBlanks = " \t\n\v\f\r";

// "application/json", with charset=utf-8 or without; in any case.
bool IsJson(std::string_view content_type) {
  std::string lower(Trim(content_type, kBlanks));
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view kType = "application/json";
  if (!lower.starts_with(kType)) return false;
  std::string_view rest = std::string_view(lower).substr(kType.size());
  if (rest.empty()) return true;
  if (!rest.starts_with(';')) return false;
  rest = TrimLeft(rest.substr(1), kBlanks);
  return rest == "charset=utf-8" || rest == "charset=\"utf-8\"";
}

}  // namespace

HttpProvider::HttpProvider(SdEnvironment& environment, HttpSdConfig config, const std::string& job,
                           std::function<void()> changed)
    : environment_(environment),
      config_(std::move(config)),
      shown_url_(RedactUrl(config_.url)),
      changed_(std::move(changed)),
      client_(environment.loop, environment.http, environment.files, config_.http),
      refresher_(environment.loop, environment.counters, {"http", job}, config_.refresh_interval,
                 [this] { Ask(); }) {}

void HttpProvider::Adopt(const Provider& predecessor) {
  const auto* other = dynamic_cast<const HttpProvider*>(&predecessor);
  if (other == nullptr || other->config_.url != config_.url) return;
  if (!other->has_groups_ || has_groups_) return;
  groups_ = other->groups_;
  has_groups_ = true;
}

void HttpProvider::AppendErrors(std::vector<std::string>& errors) const {
  if (!error_.empty()) errors.push_back(error_);
}

void HttpProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  groups.insert(groups.end(), groups_.begin(), groups_.end());
}

void HttpProvider::Ask() {
  refusal_.clear();
  body_.clear();
  HttpRequest request;
  request.url = config_.url;
  const double interval = std::chrono::duration<double>(config_.refresh_interval).count();
  request.headers = {{"User-Agent", fmt::format("Tributary/{}", Version())},
                     {"Accept", "application/json"},
                     {"X-Prometheus-Refresh-Interval-Seconds", fmt::format("{}", interval)}};
  request.timeout = config_.refresh_interval;
  client_.Start(std::move(request), this);
}

void HttpProvider::OnHead(const HttpResponseHead& head) {
  const std::string_view type = head.Header("Content-Type");
  if (head.status != kStatusOk) {
    refusal_ = fmt::format("the server answers with status {}", head.status);
  } else if (!IsJson(type)) {
    refusal_ = fmt::format("the answer's content type is \"{}\", not application/json", type);
  }
}

bool HttpProvider::OnBody(std::string_view bytes) {
  if (!refusal_.empty()) return false;
  if (bytes.size() > kTargetFileBytesMax - body_.size()) {
    refusal_ = fmt::format("the answer is larger than {} MiB", kTargetFileBytesMax >> 20);
    return false;
  }
  body_.append(bytes);
  return true;
}

void HttpProvider::OnDone(const HttpOutcome& outcome) {
  Result<std::vector<TargetGroup>> groups = ReadAnswer(outcome);
  body_ = std::string();
  if (!groups) {
    const std::string error = fmt::format("http_sd: {}: {}{}", shown_url_,
                                          groups.error().message.substr(0, kReasonBytesMax),
                                          has_groups_ ? " (its last good targets are kept)" : "");
    environment_.counters.http_failures++;
    if (error_ != error) environment_.warn(error);
    error_ = error;
    return refresher_.Ended(false);
  }
  error_.clear();
  environment_.counters.received_updates++;
  has_groups_ = true;
  const bool changed = groups_ != *groups;
  groups_ = std::move(*groups);
  refresher_.Ended(true);
  if (changed) changed_();
}

Result<std::vector<TargetGroup>> HttpProvider::ReadAnswer(const HttpOutcome& outcome) const {
  if (!refusal_.empty()) return Fail(refusal_);
  if (!outcome.ok()) return Fail(outcome.message);
  Result<std::vector<TargetGroup>> groups = ParseTargetJson(body_);
  if (groups) CompleteGroups(*groups, kUrlLabel, shown_url_);
  return groups;
}

}  // namespace tributary
