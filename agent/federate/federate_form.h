// In which form a client takes a page of /federate: what Prometheus negotiates from the headers
// (common/expfmt/encode.go NegotiateAccept, goautoneg). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

enum class FederateFormat : uint8_t {
  kText,      // 0.0.4, the default
  kProtobuf,  // MetricFamily messages, each with its length before it
};

// What becomes of names that the client does not say it can read.
enum class NameEscaping : uint8_t { kNone, kUnderscores, kDots, kValues };

struct FederateForm {
  FederateFormat format = FederateFormat::kText;
  NameEscaping escaping = NameEscaping::kUnderscores;

  std::string content_type() const;
};

// `accept`: the header's value. Prometheus' textual forms of protobuf are not offered.
FederateForm NegotiateForm(std::string_view accept);

// Whether Accept-Encoding names gzip; as Prometheus, weights are not looked at.
bool TakesGzip(std::string_view accept_encoding);

// [a-zA-Z_:][a-zA-Z0-9_:]*
bool IsClassicName(std::string_view name);
// A classic name is left as it is.
std::string EscapeName(std::string_view name, NameEscaping escaping);

}  // namespace tributary
