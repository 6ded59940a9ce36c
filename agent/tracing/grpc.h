// A call of gRPC with one message each way, as far as it differs from any other request over
// HTTP/2. Source: grpc/doc/PROTOCOL-HTTP2.md, and grpc-go's internal/transport (1.84) for answers
// that are no gRPC. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/transport.h"

namespace tributary {

enum class GrpcCode : uint8_t {
  kOk = 0,
  kCanceled = 1,
  kUnknown = 2,
  kDeadlineExceeded = 4,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

struct GrpcStatus {
  uint8_t code = 0;     // of GrpcCode, or another up to 16
  std::string message;  // the server's words; may be any bytes
  bool Is(GrpcCode other) const { return code == static_cast<uint8_t>(other); }
};

// The message behind its head of five bytes.
std::string FrameGrpcMessage(std::string_view message, bool compressed);
// The one message of a body; nullopt if it is anything else than one message, not compressed.
std::optional<std::string_view> UnframeGrpcMessage(std::string_view body);

// The headers that make a request a call, but for those of the user.
std::vector<HttpHeader> GrpcHeaders(bool gzip);
// A header of the user, as metadata: its name in lower case, its value in base64 where the name
// says that it is binary. Nullopt for the names that are gRPC's own, which are never sent.
std::optional<HttpHeader> GrpcMetadata(std::string_view name, std::string_view value);

// What an answer that came whole says.
GrpcStatus GrpcStatusOf(const HttpResponseHead& head, const std::vector<HttpHeader>& trailers);

}  // namespace tributary
