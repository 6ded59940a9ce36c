// Signs the requests of an HttpClient with AWS Signature Version 4, as `sigv4` of the configuration
// says. Source: prometheus/sigv4 0.5.
//
// One thread (the loop's). Loop, transport and file system must outlive it.
#pragma once

#include <string>
#include <vector>

#include "common/aws/clock.h"
#include "common/aws/credential_source.h"
#include "common/config/model.h"
#include "common/http_client/request_signer.h"

namespace tributary {

class Sigv4Signer : public RequestSigner {
 public:
  Sigv4Signer(EventLoop& loop, HttpTransport& transport, FileSystem& files, AwsGetenv getenv,
              const Sigv4Config& config);

  Result<bool> Prepare() override;
  void Sign(HttpRequest& request, const std::vector<std::string>& names) override;
  bool Learn(const HttpResponseHead& head) override { return clock_.Learn(head); }
  // Fetches of credentials that failed, and how often the clock was found to be wrong.
  uint64_t failures() const { return credentials_.failures(); }
  uint64_t corrections() const { return clock_.corrections(); }

 private:
  AwsClock clock_;
  const std::string service_;
  CredentialSource credentials_;
  const AwsIdentity* identity_ = nullptr;  // between Prepare and Sign
};

}  // namespace tributary
