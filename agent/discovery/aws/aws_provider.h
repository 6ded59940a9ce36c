// What the mechanisms of AWS share: the client of the API, the refresh at its interval, the last
// good targets, and telling what failed and what to do about it.
//
// Targets come in parts that can fail one by one, as the clusters of ECS do; a part that failed
// keeps its last good targets, and the refresh counts as failed. A failure is told when it is
// another one than before, not at each refresh. Control loop only.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/discovery/provider.h"
#include "agent/discovery/refresher.h"
#include "common/aws/api_client.h"

namespace tributary {

// What kept a refresh, or a part of it, from succeeding.
struct AwsFailure {
  std::string action;  // "ec2:DescribeInstances"
  AwsApiError error;
  // In one line, with what to do.
  std::string Text() const;
};

class AwsProvider : public Provider {
 public:
  void Adopt(const Provider& predecessor) override;
  void Start() override { refresher_.Start(); }
  bool settled() const override { return has_parts_ || refresher_.ended_once(); }
  void AppendErrors(std::vector<std::string>& errors) const override;
  void AppendGroups(std::vector<TargetGroup>& groups) const override;
  void Collect(MetricSink& sink) const override { refresher_.Collect(sink); }

 protected:
  using Parts = std::map<std::string, std::vector<TargetGroup>>;

  // `mechanism` is "ec2": of the metrics, and whose endpoint access.endpoint is.
  AwsProvider(SdEnvironment& environment, const AwsSdAccess& access, const std::string& mechanism,
              const std::string& job, milliseconds interval, std::function<void()> changed);

  // Begins a refresh, which ends with one of the below, never from inside.
  virtual void Refresh() = 0;
  // Whether it finds the same targets, for Adopt.
  virtual bool FindsTheSame(const AwsProvider& other) const = 0;

  void Succeed(Parts parts);
  // Some parts have failed, and are not in `parts`; the rest has been found.
  void SucceedInPart(Parts parts, const std::set<std::string>& failed, const AwsFailure& failure);
  void Fail(const AwsFailure& failure);
  // Tells of what does not end the refresh.
  void Warn(const AwsFailure& failure, const std::string& consequence);

  AwsApiClient& api() { return api_; }

 private:
  void Take(Parts parts, bool all);
  void Tell(const AwsFailure& failure, bool kept);
  std::string Place() const;

  SdEnvironment& environment_;
  const std::string mechanism_;
  const std::function<void()> changed_;
  AwsApiClient api_;
  Refresher refresher_;
  Parts parts_;  // each sorted
  bool has_parts_ = false;
  std::string error_;       // of the last refresh, as it is told; "": it went well
  std::string told_;        // of what kind error_ is
  std::string told_aside_;  // as told_, of Warn
};

}  // namespace tributary
