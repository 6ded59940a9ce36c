// Calls AWS' APIs: signed with credentials of AWS' chain, at the endpoint of their region, and
// again where that may help. Source: aws-sdk-go-v2 aws/retry (standard mode) and aws/signer/v4.
//
// A call is sent three times at most: after no whole answer, throttling and a server's error, with
// pauses that are drawn from [0 s, 1 s) and [0 s, 2 s). Besides that it is sent once more at once
// where the clock was found to be wrong, and once where credentials have expired, with new ones.
// Each time has 30 s; an answer has 64 MiB at most.
//
// S3's buckets stand in the host's name, but in the path where the endpoint is configured (what is
// found there, as MinIO, seldom has names for buckets) or where a bucket's name has a dot, which no
// certificate covers.
//
// One thread (the loop's). Errors are without secrets. Loop, transport, file system and counters
// must outlive the client.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/aws/api_error.h"
#include "common/aws/api_request.h"
#include "common/aws/clock.h"
#include "common/aws/credential_source.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/http_client.h"

namespace tributary {

// Of all clients that count here.
struct AwsApiCounters {
  uint64_t requests = 0;   // that were sent
  uint64_t retries = 0;    // of these, those that were no call's first
  uint64_t throttled = 0;  // answers
  uint64_t credential_failures = 0;
  uint64_t clock_corrections = 0;
};

class AwsApiClient {
 public:
  // The body of an answer with status 200.
  using Done = std::function<void(AwsResult<std::string> body)>;

  // `endpoint_service`: whose endpoint access.endpoint is, if it is not empty.
  AwsApiClient(EventLoop& loop, HttpTransport& transport, FileSystem& files, AwsGetenv getenv,
               const AwsSdAccess& access, std::string endpoint_service, AwsApiCounters& counters);
  ~AwsApiClient();  // `done` of what is under way is not called
  AwsApiClient(const AwsApiClient&) = delete;
  AwsApiClient& operator=(const AwsApiClient&) = delete;

  // `done` runs later, once; it may start other calls, but must not end the client.
  void Start(AwsApiRequest request, Done done);
  // Of the last call that was signed; before that, what the configuration says.
  const std::string& region() const { return region_; }

 private:
  class Call;
  using CallId = uint64_t;

  void OnFetched();
  Result<std::string> UrlOf(const AwsApiRequest& request, const std::string& region);
  Result<std::string> EndpointOf(const std::string& service, const std::string& region);
  void CountFailures();
  void Finish(CallId id, AwsResult<std::string> body);

  EventLoop& loop_;
  FileSystem& files_;
  const AwsGetenv getenv_;
  const AwsSdAccess access_;
  const std::string endpoint_service_;
  AwsApiCounters& counters_;
  AwsClock clock_;
  CredentialSource credentials_;
  HttpClient http_;
  std::string region_;
  uint64_t failures_seen_ = 0;
  std::map<std::string, std::string> urls_;  // by service and region
  CallId last_id_ = 0;
  std::map<CallId, std::unique_ptr<Call>> calls_;
};

}  // namespace tributary
