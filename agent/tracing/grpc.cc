#include "agent/tracing/grpc.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace tributary {

namespace {

constexpr size_t kFrameHead = 5;
constexpr unsigned kCodeMax = 16;

std::string Base64(std::string_view bytes) {  // without padding
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

std::string DecodePercent(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    uint8_t byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

GrpcStatus Status(GrpcCode code, std::string message) {
  return {static_cast<uint8_t>(code), std::move(message)};
}

GrpcStatus StatusOfHttp(int status) {
  const std::string message = fmt::format("the receiver answered HTTP status {}", status);
  switch (status) {
    case 400:
      return Status(GrpcCode::kInternal, message);
    case 401:
      return Status(GrpcCode::kUnauthenticated, message);
    case 403:
      return Status(GrpcCode::kPermissionDenied, message);
    case 404:
      return Status(GrpcCode::kUnimplemented, message);
    case 429:
    case 502:
    case 503:
    case 504:
      return Status(GrpcCode::kUnavailable, message);
    default:
      return Status(GrpcCode::kUnknown, message);
  }
}

}  // namespace

std::string FrameGrpcMessage(std::string_view message, bool compressed) {
  std::string frame(1, compressed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame += static_cast<char>(static_cast<unsigned char>(message.size() >> shift));
  }
  frame += message;
  return frame;
}

std::optional<std::string_view> UnframeGrpcMessage(std::string_view body) {
  if (body.size() < kFrameHead || body[0] != 0) return std::nullopt;
  size_t size = 0;
  for (size_t i = 1; i < kFrameHead; i++) size = size << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(kFrameHead);
  return body.size() == size ? std::optional(body) : std::nullopt;
}

std::vector<HttpHeader> GrpcHeaders(bool gzip) {
  std::vector<HttpHeader> headers = {{"content-type", "application/grpc"}, {"te", "trailers"}};
  if (gzip) headers.push_back({"grpc-encoding", "gzip"});
  return headers;
}

std::optional<HttpHeader> GrpcMetadata(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 8> kReserved = {
      "content-type", "user-agent",  "grpc-message-type", "grpc-encoding",
      "grpc-message", "grpc-status", "grpc-timeout",      "te"};
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end()) return std::nullopt;
  const bool is_binary = lower.ends_with("-bin");
  return HttpHeader{std::move(lower), is_binary ? Base64(value) : std::string(value)};
}

GrpcStatus GrpcStatusOf(const HttpResponseHead& head, const std::vector<HttpHeader>& trailers) {
  if (!head.Header("content-type").starts_with("application/grpc")) {
    if (head.status != 200) return StatusOfHttp(head.status);
    return Status(GrpcCode::kUnknown, "the receiver's answer is no gRPC");
  }
  // An answer of trailers only has them in its head.
  const bool in_head = FindHeader(trailers, "grpc-status").empty();
  const std::vector<HttpHeader>& fields = in_head ? head.headers : trailers;
  const std::string_view text = FindHeader(fields, "grpc-status");
  if (text.empty() && head.status != 200) return StatusOfHttp(head.status);
  unsigned code = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), code);
  const bool is_number = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!is_number || code > kCodeMax) {
    return Status(GrpcCode::kUnknown, "the receiver's answer has no valid grpc-status");
  }
  return {static_cast<uint8_t>(code), DecodePercent(FindHeader(fields, "grpc-message"))};
}

}  // namespace tributary
