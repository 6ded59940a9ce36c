// AWS Signature Version 4 in the Authorization header.
// Source: AWS General Reference (Signature Version 4 signing process); prometheus/sigv4 0.5 and the
// signer/v4 of aws-sdk-go-v2, whose choice of headers and whose normal form of URLs this follows.
//
// Pure functions. The secret key is in nothing that comes out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/aws/credentials.h"
#include "common/base/time.h"
#include "common/http/transport.h"

namespace tributary {

struct SigningScope {
  std::string region;
  std::string service;
  // As S3 has it: the path is signed as it is, neither cleaned nor escaped a second time.
  bool path_as_is = false;
};

// Signs in place. Of the request's headers those of `names` count, but never Authorization,
// User-Agent, Expect, Transfer-Encoding, X-Amzn-Trace-Id and Uber-Trace-Id; Host, Content-Length of
// a body, X-Amz-Date and X-Amz-Security-Token are signed always. An earlier signature is replaced.
//
// The URL is sent as it is signed: its path without dot segments and double slashes (but for
// path_as_is), its query sorted and escaped anew. A request whose URL no transport takes stays as
// it is.
void SignRequest(HttpRequest& request, const std::vector<std::string>& names,
                 const AwsCredentials& credentials, const SigningScope& scope, TimestampMs now);

// The URL in the form that is signed.
std::string NormalUrl(const std::string& url);

}  // namespace tributary
