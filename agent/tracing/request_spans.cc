#include "agent/tracing/request_spans.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/http/http_url.h"

namespace tributary {

namespace {

constexpr char kTraceParent[] = "traceparent";

std::string WithoutUserinfo(const std::string& url) {
  const size_t slashes = url.find("//");
  if (slashes == std::string::npos) return url;
  const size_t begin = slashes + 2;
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  if (at == std::string::npos || at < begin) return url;
  return url.substr(0, begin) + url.substr(at + 1);
}

// For error.type, which is to have few values.
const char* NameOf(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kResolve:
      return "resolve";
    case HttpFailure::kConnect:
      return "connect";
    case HttpFailure::kTls:
      return "tls";
    case HttpFailure::kTimeout:
      return "timeout";
    case HttpFailure::kClosed:
      return "closed";
    case HttpFailure::kBadResponse:
      return "bad_response";
    case HttpFailure::kAborted:
      return "aborted";
    default:
      return "_OTHER";
  }
}

void Describe(const HttpRequest& request, Span& span) {
  span.Set("http.request.method", request.method);
  span.Set("url.full", WithoutUserinfo(request.url));
  const std::optional<HttpUrl> url = ParseHttpUrl(request.url);
  if (!url) return;
  span.Set("server.address", url->host);
  if (url->port != (url->https ? 443 : 80)) span.Set("server.port", int64_t{url->port});
}

void SetHeader(const char* name, std::string value, std::vector<HttpHeader>& headers) {
  std::erase_if(headers,
                [&](const HttpHeader& header) { return SameHeaderName(header.name, name); });
  headers.push_back({name, std::move(value)});
}

}  // namespace

std::string TraceParent(const SpanContext& context) {
  std::string text = "00-";
  for (const unsigned char byte : context.trace_id) text += fmt::format("{:02x}", byte);
  text += '-';
  for (const unsigned char byte : context.span_id) text += fmt::format("{:02x}", byte);
  return text + (context.sampled ? "-01" : "-00");
}

void RequestSpans::OnSend(HttpRequest& request) {
  span_ = tracer_.Begin("HTTP " + request.method, SpanKind::kClient, &parent_);
  if (span_.context.sampled) Describe(request, span_);
  SetHeader(kTraceParent, TraceParent(span_.context), request.headers);
}

void RequestSpans::OnHead(const HttpResponseHead& head) {
  span_.Set("http.response.status_code", int64_t{head.status});
  if (head.status < 400) return;
  span_.Set("error.type", std::to_string(head.status));
  span_.SetError("");
}

void RequestSpans::OnEnd(const HttpOutcome& outcome) {
  if (!outcome.ok()) {
    span_.Set("error.type", std::string(NameOf(outcome.failure)));
    span_.SetError(outcome.message);
  }
  tracer_.End(std::exchange(span_, {}));
}

}  // namespace tributary
