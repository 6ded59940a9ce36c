// The spans of a request of an HttpClient, and the header that tells the server of them: one for
// each request of its way, as otelhttp's transport makes them (0.72). Source: W3C Trace Context
// (header traceparent); OpenTelemetry semantic conventions 1.43 (HTTP).
//
// Headers and a URL's userinfo are in no attribute. One thread.
#pragma once

#include <string>

#include "agent/tracing/tracer.h"
#include "common/http_client/request_watcher.h"
#include "common/otlp/span.h"

namespace tributary {

// The value of the header traceparent.
std::string TraceParent(const SpanContext& context);

class RequestSpans : public RequestWatcher {
 public:
  // The tracer must outlive it.
  RequestSpans(Tracer& tracer, const SpanContext& parent) : tracer_(tracer), parent_(parent) {}

  void OnSend(HttpRequest& request) override;
  void OnHead(const HttpResponseHead& head) override;
  void OnEnd(const HttpOutcome& outcome) override;

 private:
  Tracer& tracer_;
  const SpanContext parent_;
  Span span_;  // of the request under way
};

}  // namespace tributary
