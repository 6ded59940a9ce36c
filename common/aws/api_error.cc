#include "common/aws/api_error.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/aws/xml.h"

namespace tributary {
namespace {

using Kind = AwsApiError::Kind;

constexpr std::string_view kThrottling[] = {"Throttling",
                                            "ThrottlingException",
                                            "ThrottledException",
                                            "RequestThrottledException",
                                            "TooManyRequestsException",
                                            "ProvisionedThroughputExceededException",
                                            "TransactionInProgressException",
                                            "RequestLimitExceeded",
                                            "BandwidthLimitExceeded",
                                            "LimitExceededException",
                                            "RequestThrottled",
                                            "SlowDown",
                                            "PriorRequestNotComplete",
                                            "EC2ThrottledException"};
constexpr std::string_view kExpiry[] = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"};
constexpr std::string_view kRefusal[] = {"AuthFailure",
                                         "InvalidClientTokenId",
                                         "UnrecognizedClientException",
                                         "SignatureDoesNotMatch",
                                         "InvalidSignatureException",
                                         "IncompleteSignature",
                                         "MissingAuthenticationToken",
                                         "MissingAuthenticationTokenException"};
constexpr std::string_view kDenial[] = {"UnauthorizedOperation", "AccessDenied",
                                        "AccessDeniedException", "NotAuthorized"};
constexpr std::string_view kTimeouts[] = {"RequestTimeout", "RequestTimeoutException"};

template <size_t n>
bool IsOneOf(const std::string& code, const std::string_view (&codes)[n]) {
  return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
}

Kind KindOf(int status, const std::string& code) {
  if (IsOneOf(code, kThrottling)) return Kind::kThrottled;
  if (IsOneOf(code, kExpiry)) return Kind::kExpired;
  if (IsOneOf(code, kRefusal)) return Kind::kRefused;
  if (IsOneOf(code, kDenial)) return Kind::kDenied;
  if (IsOneOf(code, kTimeouts)) return Kind::kServer;
  if (status == 500 || status == 502 || status == 503 || status == 504) return Kind::kServer;
  if (status == 429) return Kind::kThrottled;
  if (status == 401) return Kind::kRefused;
  if (status == 403) return Kind::kDenied;
  return Kind::kRequest;
}

// "aws.protocoltests#Foo:http://..." is Foo.
std::string PlainCode(std::string code) {
  code = code.substr(0, code.find(':'));
  return code.substr(std::min(code.find('#') + 1, code.size()));
}

struct Words {
  std::string code, message;
};

Words WordsOfXml(const std::string& body) {
  const Result<XmlElement> root = ParseXml(body);
  if (!root) return {};
  const XmlElement* errors = root->Find("Errors");
  const XmlElement* error = errors == nullptr ? root->Find("Error") : errors->Find("Error");
  if (root->name == "Error") error = &*root;  // of S3
  if (error == nullptr) return {};
  return {error->Text("Code"), error->Text("Message")};
}

Words WordsOfJson(std::string_view type, const std::string& body) {
  Words words{std::string(type), ""};
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object()) {
    const auto text = [&json](const char* name) {
      const auto found = json.find(name);
      return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    };
    for (const char* name : {"code", "__type"}) {
      if (words.code.empty()) words.code = text(name);
    }
    words.message = text("message");
    if (words.message.empty()) words.message = text("Message");
  }
  words.code = PlainCode(words.code);
  return words;
}

}  // namespace

AwsApiError ReadAwsError(int status, std::string_view type, const std::string& body) {
  const size_t begin = body.find_first_not_of(" \t\r\n");
  const bool xml = begin != std::string::npos && body[begin] == '<';
  Words words = xml ? WordsOfXml(body) : WordsOfJson(type, body);
  AwsApiError error;
  error.kind = KindOf(status, words.code);
  error.message = words.code.empty() ? "answered " + std::to_string(status) : words.code;
  if (!words.message.empty()) error.message += ": " + words.message;
  error.code = std::move(words.code);
  return error;
}

AwsApiError AwsErrorOf(const HttpOutcome& outcome) {
  AwsApiError error;
  error.message = outcome.message;
  switch (outcome.failure) {
    case HttpFailure::kResolve:
    case HttpFailure::kConnect:
    case HttpFailure::kTimeout:
    case HttpFailure::kClosed:
    case HttpFailure::kBadResponse:
      error.kind = Kind::kUnreachable;
      break;
    default:
      error.kind = Kind::kRequest;
  }
  return error;
}

bool IsRetryable(const AwsApiError& error) {
  return error.kind == Kind::kUnreachable || error.kind == Kind::kThrottled ||
         error.kind == Kind::kServer;
}

}  // namespace tributary
