// Fetches a configuration from where ConfigLocation says, as its text: SSM's GetParameter, S3's
// GetObject, or the environment.
//
// What may pass (nobody answers, throttling, a server's error, credentials that cannot be had just
// now) is tried again until the deadline, with pauses of 1 s, then 2 s and so on up to 8 s; what a
// service refuses is told at once. Text of at most kFetchedConfigBytesMax. Errors name the place
// and what to do, never what was fetched, and no key.
//
// Source: the APIs' references of Systems Manager and S3. Region, credentials, endpoints
// (AWS_ENDPOINT_URL_SSM, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL), proxies and AWS_CA_BUNDLE as the
// AWS SDKs have them.
//
// One thread (the loop's). Loop, transport and file system must outlive it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "common/aws/api_client.h"
#include "common/base/status.h"
#include "common/config_source/location.h"

namespace tributary {

inline constexpr size_t kFetchedConfigBytesMax = 16 << 20;

class ConfigFetch {
 public:
  using Done = std::function<void(Result<std::string>)>;

  // `location` is no file.
  ConfigFetch(EventLoop& loop, HttpTransport& transport, FileSystem& files, AwsGetenv getenv,
              ConfigLocation location);
  ConfigFetch(const ConfigFetch&) = delete;
  ConfigFetch& operator=(const ConfigFetch&) = delete;

  // `done` runs later on the loop, once, within `deadline`; it may start the next, but must not end
  // the fetch. Not while another is under way.
  void Start(nanoseconds deadline, Done done);

  const ConfigLocation& location() const { return location_; }
  // Since the beginning: tries, and those of them that failed.
  uint64_t tries() const { return tries_; }
  uint64_t failures() const { return failures_; }

 private:
  void Try();
  AwsApiRequest Request() const;
  void OnAnswer(uint64_t of, const AwsResult<std::string>& answer);
  void Read(const std::string& answer);
  void Give(Result<std::string> text);
  void GiveError(const std::string& why);

  EventLoop& loop_;
  const ConfigLocation location_;
  const AwsGetenv getenv_;
  AwsApiCounters counters_;
  AwsApiClient api_;
  Done done_;
  Timer again_, deadline_timer_;
  uint64_t current_ = 0;  // which try counts: one that was given up may still answer
  nanoseconds deadline_{0};
  nanoseconds pause_{0};
  std::string last_error_;
  uint64_t tries_ = 0;
  uint64_t failures_ = 0;
};

}  // namespace tributary
