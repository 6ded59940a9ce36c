// Carries a CredentialPlan out: asks the services that it names, one after the other.
// Source: aws-sdk-go-v2 credentials (ec2rolecreds, endpointcreds, stscreds) and feature/ec2/imds;
// the Query API of STS, 2011-06-15.
//
// The metadata services of instance (IMDSv2 only) and container are asked directly, within 1 s and
// 5 s; STS within 30 s, through the proxy that the environment names and with the roots of
// AWS_CA_BUNDLE, or as a configuration says. Bodies of at most 64 KiB; no redirects. Files of
// tokens are read each time.
//
// One thread (the loop's). Errors say who was asked and what it answered, never a key or a token.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/aws/clock.h"
#include "common/aws/credential_plan.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/http_client.h"

namespace tributary {

// What a request is signed with.
struct AwsIdentity {
  AwsCredentials credentials;
  std::string region;
};

class CredentialFetch : private HttpHandler {
 public:
  using Done = std::function<void(Result<AwsIdentity>)>;

  // `sts`: whose proxy and TLS settings count towards STS; null: those of the environment.
  CredentialFetch(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                  const AwsGetenv& getenv, AwsClock& clock, const HttpClientConfig* sts = nullptr);
  ~CredentialFetch() override;
  CredentialFetch(const CredentialFetch&) = delete;
  CredentialFetch& operator=(const CredentialFetch&) = delete;

  // `done` runs later on the loop, once; it may start the next, but must not end the fetch. Not
  // while another is under way.
  void Start(CredentialPlan plan, Done done);

 private:
  enum class Step : uint8_t {
    kInstanceToken,
    kInstanceRegion,
    kInstanceRole,
    kInstanceKeys,
    kContainer,
    kWebIdentity,
    kRole,
  };

  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const HttpOutcome& outcome) override;

  void AskInstance(Step step, const std::string& path);
  void AfterInstance();
  void AskBase();
  void AskContainer();
  void AskWebIdentity();
  void AskNextRole();
  void AskSts(Step step, const std::string& form, bool sign);
  void Send(Step step, HttpClient& client, HttpRequest request);
  void Take(Result<AwsCredentials> credentials);
  void Give(Result<AwsIdentity> identity);
  void GiveError(std::string message);

  EventLoop& loop_;
  FileSystem& files_;
  AwsClock& clock_;
  HttpClient direct_;
  HttpClient sts_;

  CredentialPlan plan_;
  Done done_;
  size_t next_role_ = 0;
  std::string instance_token_;
  AwsIdentity identity_;
  std::vector<std::string> hidden_;  // what was sent, and must not be in messages

  Step step_ = Step::kRole;
  bool skewed_ = false;       // the answer has shown the clock to be wrong
  bool asked_again_ = false;  // once a fetch
  std::string asked_;         // for people
  std::string body_;
  Timer later_;
};

}  // namespace tributary
