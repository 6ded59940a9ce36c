#include "agent/tracing/grpc.h"

#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

HttpResponseHead Head(int status, std::vector<HttpHeader> headers = {}) {
  headers.push_back({"Content-Type", "application/grpc+proto"});
  return {status, std::move(headers)};
}

TEST_CASE("grpc: a message has a head of five bytes") {
  CHECK(FrameGrpcMessage("", false) == std::string(5, '\0'));
  CHECK(FrameGrpcMessage("ab", true) == std::string("\1\0\0\0\2ab", 7));
  const std::string large(70'000, 'x');
  const std::string frame = FrameGrpcMessage(large, false);
  CHECK(frame.substr(0, 5) == std::string("\0\0\1\x11\x70", 5));
  CHECK(UnframeGrpcMessage(frame) == std::string_view(large));
  CHECK(UnframeGrpcMessage(std::string(5, '\0')) == std::string_view());
}

TEST_CASE("grpc: what is not one plain message is none") {
  CHECK_FALSE(UnframeGrpcMessage(""));
  CHECK_FALSE(UnframeGrpcMessage(std::string(4, '\0')));
  CHECK_FALSE(UnframeGrpcMessage(FrameGrpcMessage("ab", true)));
  CHECK_FALSE(UnframeGrpcMessage(FrameGrpcMessage("ab", false) + "c"));
  CHECK_FALSE(UnframeGrpcMessage(FrameGrpcMessage("ab", false).substr(0, 6)));
}

TEST_CASE("grpc: metadata has lower case names, and base64 where it is binary") {
  CHECK(GrpcMetadata("X-Scope-OrgID", "Team A")->name == "x-scope-orgid");
  CHECK(GrpcMetadata("X-Scope-OrgID", "Team A")->value == "Team A");
  const std::string binary("\0\xff\xfe", 3);
  CHECK(GrpcMetadata("a-Bin", binary)->value == "AP/+");
  // RFC 4648, 10, without padding.
  for (const auto& [text, coded] : {std::pair("", ""),
                                    {"f", "Zg"},
                                    {"fo", "Zm8"},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg"},
                                    {"fooba", "Zm9vYmE"}}) {
    CHECK(GrpcMetadata("a-bin", text)->value == coded);
  }
  for (const char* name : {"te", "TE", "grpc-timeout", "Grpc-Encoding", "content-type"}) {
    CHECK_FALSE(GrpcMetadata(name, "x"));
  }
}

TEST_CASE("grpc: the status stands in the trailers, or in the head of an answer without a body") {
  CHECK(GrpcStatusOf(Head(200), {{"grpc-status", "0"}}).Is(GrpcCode::kOk));
  const GrpcStatus busy = GrpcStatusOf(
      Head(200), {{"Grpc-Status", "14"}, {"Grpc-Message", "too%20busy%3A 100% %zz%4"}});
  CHECK(busy.Is(GrpcCode::kUnavailable));
  CHECK(busy.message == "too busy: 100% %zz%4");
  const GrpcStatus refused =
      GrpcStatusOf(Head(200, {{"grpc-status", "7"}, {"grpc-message", "no"}}), {});
  CHECK(refused.Is(GrpcCode::kPermissionDenied));
  CHECK(refused.message == "no");
}

TEST_CASE("grpc: an answer without a status that makes sense is no success") {
  for (const char* text : {"", "x", "-1", "17", "0 ", "00x", "99999999999999999999"}) {
    CAPTURE(text);
    const GrpcStatus status = GrpcStatusOf(Head(200), {{"grpc-status", text}});
    CHECK(status.Is(GrpcCode::kUnknown));
    CHECK_FALSE(status.message.empty());
  }
  CHECK(GrpcStatusOf(Head(200), {}).Is(GrpcCode::kUnknown));
  // A web server that is no server of gRPC, even one that knows the header.
  CHECK(GrpcStatusOf({200, {{"content-type", "text/html"}, {"grpc-status", "0"}}}, {})
            .Is(GrpcCode::kUnknown));
}

TEST_CASE("grpc: statuses of HTTP stand for those of gRPC") {
  const auto code = [](int status) { return int{GrpcStatusOf({status, {}}, {}).code}; };
  CHECK(code(400) == 13);
  CHECK(code(401) == 16);
  CHECK(code(403) == 7);
  CHECK(code(404) == 12);
  for (const int status : {429, 502, 503, 504}) CHECK(code(status) == 14);
  for (const int status : {204, 302, 405, 500}) CHECK(code(status) == 2);
}

}  // namespace
}  // namespace tributary
