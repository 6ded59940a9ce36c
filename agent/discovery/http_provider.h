// One entry of http_sd_configs: asks a web server for target groups and remembers the last good
// answer. Follows prometheus/prometheus discovery/http/http.go (3.16).
//
// Good is what arrives whole within refresh_interval, with status 200, Content-Type
// application/json and at most kTargetFileBytesMax of target groups. Whatever else comes is
// counted and leaves the groups as they are; it is told when it is new, not at each refresh.
// Control loop only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/provider.h"
#include "agent/discovery/refresher.h"
#include "common/base/status.h"
#include "common/http_client/http_client.h"

namespace tributary {

class HttpProvider : public Provider, private HttpHandler {
 public:
  HttpProvider(SdEnvironment& environment, HttpSdConfig config, const std::string& job,
               std::function<void()> changed);

  // Of one with the same URL.
  void Adopt(const Provider& predecessor) override;
  void Start() override { refresher_.Start(); }
  bool settled() const override { return has_groups_ || refresher_.ended_once(); }
  void AppendErrors(std::vector<std::string>& errors) const override;
  void AppendGroups(std::vector<TargetGroup>& groups) const override;
  void Collect(MetricSink& sink) const override { refresher_.Collect(sink); }

 private:
  void Ask();
  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const HttpOutcome& outcome) override;
  Result<std::vector<TargetGroup>> ReadAnswer(const HttpOutcome& outcome) const;

  SdEnvironment& environment_;
  const HttpSdConfig config_;
  const std::string shown_url_;  // without password
  const std::function<void()> changed_;
  HttpClient client_;
  Refresher refresher_;
  std::string refusal_;  // why the answer that arrives is not good; empty: it may be
  std::string body_;
  std::vector<TargetGroup> groups_;
  bool has_groups_ = false;  // from an answer, which may have been empty
  std::string error_;        // of the last try; empty: it went well
};

}  // namespace tributary
