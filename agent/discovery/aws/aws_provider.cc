#include "agent/discovery/aws/aws_provider.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace tributary {
namespace {

constexpr size_t kReasonBytesMax = 500;

// Of the same kind of failure, whatever the numbers and tokens in its message.
std::string KeyOf(const AwsFailure& failure) {
  return fmt::format("{} {} {}", failure.action, static_cast<int>(failure.error.kind),
                     failure.error.code);
}

}  // namespace

std::string AwsFailure::Text() const {
  std::string text = action + ": " + error.message.substr(0, kReasonBytesMax);
  switch (error.kind) {
    case AwsApiError::Kind::kRefused:
      return text + "; the credentials are not good, or not for this region";
    case AwsApiError::Kind::kDenied:
      return text + fmt::format("; allow the action {} in a policy of the role or user", action);
    case AwsApiError::Kind::kThrottled:
      return text + "; ask less often: a longer refresh_interval, fewer agents";
    case AwsApiError::Kind::kExpired:
      return text + "; the credentials have expired and there are no newer ones";
    default:
      return text;
  }
}

AwsProvider::AwsProvider(SdEnvironment& environment, const AwsSdAccess& access,
                         const std::string& mechanism, const std::string& job,
                         milliseconds interval, std::function<void()> changed)
    : environment_(environment),
      mechanism_(mechanism),
      changed_(std::move(changed)),
      api_(environment.loop, environment.http, environment.files, environment.getenv, access,
           mechanism, environment.counters.aws),
      refresher_(environment.loop, environment.counters, {mechanism, job}, interval,
                 [this] { Refresh(); }) {}

void AwsProvider::Adopt(const Provider& predecessor) {
  const auto* other = dynamic_cast<const AwsProvider*>(&predecessor);
  if (other == nullptr || other->mechanism_ != mechanism_ || !FindsTheSame(*other)) return;
  if (!other->has_parts_ || has_parts_) return;
  parts_ = other->parts_;
  has_parts_ = true;
}

void AwsProvider::AppendErrors(std::vector<std::string>& errors) const {
  if (!error_.empty()) errors.push_back(error_);
}

void AwsProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  for (const auto& [name, part] : parts_) groups.insert(groups.end(), part.begin(), part.end());
}

void AwsProvider::Succeed(Parts parts) {
  told_.clear();
  error_.clear();
  Take(std::move(parts), true);
}

void AwsProvider::SucceedInPart(Parts parts, const std::set<std::string>& failed,
                                const AwsFailure& failure) {
  bool kept = false;
  for (const std::string& name : failed) {
    const auto old = parts_.find(name);
    if (old == parts_.end()) continue;
    kept = true;
    parts.insert(*old);
  }
  Tell(failure, kept);
  Take(std::move(parts), false);
}

void AwsProvider::Fail(const AwsFailure& failure) {
  Tell(failure, has_parts_);
  refresher_.Ended(false);
}

void AwsProvider::Warn(const AwsFailure& failure, const std::string& consequence) {
  const std::string key = KeyOf(failure);
  if (told_aside_ == key) return;
  environment_.warn(fmt::format("{}{} ({})", Place(), failure.Text(), consequence));
  told_aside_ = key;
}

void AwsProvider::Take(Parts parts, bool all) {
  for (auto& [name, part] : parts) {
    // The services list their things in any order.
    std::sort(part.begin(), part.end(), [](const TargetGroup& a, const TargetGroup& b) {
      return std::tie(a.targets, a.labels) < std::tie(b.targets, b.labels);
    });
  }
  environment_.counters.received_updates++;
  has_parts_ = true;
  const bool same = parts_ == parts;
  parts_ = std::move(parts);
  refresher_.Ended(all);
  if (!same) changed_();
}

void AwsProvider::Tell(const AwsFailure& failure, bool kept) {
  error_ = Place() + failure.Text() + (kept ? " (its last good targets are kept)" : "");
  const std::string key = KeyOf(failure) + (kept ? " kept" : "");
  if (told_ == key) return;
  environment_.warn(error_);
  told_ = key;
}

std::string AwsProvider::Place() const {
  const std::string& region = api_.region();
  return mechanism_ + "_sd: " + (region.empty() ? "" : region + ": ");
}

}  // namespace tributary
