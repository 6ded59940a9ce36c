#include "test/support/trace_receiver.h"

#include <algorithm>

#include "common/compress/inflate.h"
#include "trace.pb.h"

namespace tributary {

namespace {

constexpr char kGrpcPath[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

bool IsGrpc(const ServedRequest& request) {
  return request.Header("content-type") == "application/grpc";
}

std::string Framed(const std::string& message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(message.size() >> shift & 0xff);
  }
  return out + message;
}

std::string Inflated(const std::string& bytes) {
  Gunzip gunzip;
  std::string out;
  const auto whole = gunzip.Push(bytes, [&out](std::string_view piece) {
    out += piece;
    return true;
  });
  return whole && gunzip.Finish() ? out : "not gzip";
}

template <typename Pairs>
std::map<std::string, std::string> Map(const Pairs& pairs) {
  std::map<std::string, std::string> map;
  for (const auto& pair : pairs) {
    const auto& value = pair.value();
    map[pair.key()] =
        value.has_int_value() ? std::to_string(value.int_value()) : value.string_value();
  }
  return map;
}

ReceivedSpan Taken(const test::trace::Span& span) {
  ReceivedSpan taken{span.trace_id(),
                     span.span_id(),
                     span.parent_span_id(),
                     span.name(),
                     span.kind(),
                     span.start_time_unix_nano(),
                     span.end_time_unix_nano(),
                     Map(span.attributes()),
                     {},
                     span.status().code(),
                     span.status().message()};
  for (const auto& event : span.events()) {
    if (event.name() == "exception") {
      taken.errors.push_back(Map(event.attributes())["exception.message"]);
    }
  }
  return taken;
}

}  // namespace

ScriptedReply TraceReceiver::GrpcReply(int code, const std::string& message,
                                       const std::string& response) {
  ScriptedReply reply;
  reply.headers = {{"content-type", "application/grpc"}};
  std::vector<HttpHeader> status = {{"grpc-status", std::to_string(code)}};
  if (!message.empty()) status.push_back({"grpc-message", message});
  if (code == 0) {
    reply.chunks = {Framed(response)};
    reply.trailers = status;
  } else {  // trailers only
    reply.headers.insert(reply.headers.end(), status.begin(), status.end());
  }
  return reply;
}

std::string TraceReceiver::PartialSuccess(int64_t rejected, const std::string& message) {
  test::trace::Response response;
  response.mutable_partial_success()->set_rejected_spans(rejected);
  response.mutable_partial_success()->set_error_message(message);
  return response.SerializeAsString();
}

ScriptedReply TraceReceiver::Serve(const ServedRequest& request) {
  requests.push_back(request);
  const std::vector<ReceivedSpan> read = Read(request);
  ScriptedReply reply;
  if (answer) {
    reply = answer(request);
  } else {
    reply = IsGrpc(request) ? GrpcReply(0) : ScriptedReply::Text(200, "");
  }
  const bool broken = reply.end != ScriptedReply::End::kComplete || reply.status != 200;
  const bool taken = !broken && (!IsGrpc(request) || !reply.trailers.empty());
  if (taken) spans.insert(spans.end(), read.begin(), read.end());
  return reply;
}

std::vector<ReceivedSpan> TraceReceiver::Read(const ServedRequest& request) {
  std::string body = request.body;
  Check(request.method == "POST", "method " + request.method);
  if (IsGrpc(request)) {
    Check(request.target == kGrpcPath, "path " + request.target);
    Check(request.http2, "no HTTP/2");
    Check(request.Header("te") == "trailers", "te " + request.Header("te"));
    Check(!request.Header("grpc-timeout").empty(), "no grpc-timeout");
    const bool gzip = request.Header("grpc-encoding") == "gzip";
    const std::string message = body.size() < 5 ? "" : body.substr(5);
    Check(body.substr(1) == Framed(message).substr(1), "length of the frame");
    Check(body.substr(0, 1) == std::string(1, gzip ? '\1' : '\0'), "flag of the frame");
    body = gzip ? Inflated(message) : message;
  } else {
    Check(request.target == "/v1/traces", "path " + request.target);
    Check(request.Header("Content-Type") == "application/x-protobuf", "content type");
    if (request.Header("Content-Encoding") == "gzip") body = Inflated(body);
  }
  test::trace::Request message;
  Check(message.ParseFromString(body), "not a request of OTLP");
  std::vector<ReceivedSpan> read;
  for (const auto& from : message.resource_spans()) {
    resource = Map(from.resource().attributes());
    for (const auto& scope : from.scope_spans()) {
      for (const auto& span : scope.spans()) read.push_back(Taken(span));
    }
  }
  Check(!read.empty(), "no spans");
  return read;
}

std::vector<ReceivedSpan> TraceReceiver::Named(const std::string& name) const {
  std::vector<ReceivedSpan> named;
  std::copy_if(spans.begin(), spans.end(), std::back_inserter(named),
               [&](const ReceivedSpan& span) { return span.name == name; });
  return named;
}

}  // namespace tributary
