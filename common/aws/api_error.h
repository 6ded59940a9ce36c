// What keeps a call of an AWS API from succeeding, and how the services say it: XML of the query
// protocols, JSON 1.1. Source: aws-sdk-go-v2 aws/protocol/{ec2query,xml,restjson} and aws/retry.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/http/transport.h"

namespace tributary {

struct AwsApiError {
  enum class Kind : uint8_t {
    kUnreachable,  // no whole answer came
    kCredentials,  // there is nothing to sign with, or no region; nothing was sent
    kExpired,      // the credentials have expired
    kRefused,      // the credentials are wrong
    kDenied,       // the credentials are good, but do not allow the call
    kThrottled,    // too many calls
    kServer,       // the service is not well
    kRequest,      // whatever else it does not like
    kAnswer,       // of a success, which cannot be read or is too large
  };
  Kind kind = Kind::kRequest;
  std::string code;     // the service's, as "UnauthorizedOperation"; "": none
  std::string message;  // for people, with the code; without secrets, bounded
};

template <typename T>
using AwsResult = tl::expected<T, AwsApiError>;

inline tl::unexpected<AwsApiError> AwsFail(AwsApiError::Kind kind, std::string message) {
  return tl::unexpected<AwsApiError>(AwsApiError{kind, "", std::move(message)});
}

// Of an answer that is no success. `type` is its header X-Amzn-ErrorType. The message is not yet
// without secrets.
AwsApiError ReadAwsError(int status, std::string_view type, const std::string& body);
// Of an exchange without a whole answer.
AwsApiError AwsErrorOf(const HttpOutcome& outcome);

// Whether the same call may succeed in a moment, as the SDK's standard mode sees it.
bool IsRetryable(const AwsApiError& error);

}  // namespace tributary
