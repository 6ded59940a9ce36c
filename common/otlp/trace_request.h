// The request by which spans are exported: ExportTraceServiceRequest of OTLP, in protobuf. One
// resource, one scope. Source: opentelemetry-proto collector/trace/v1/trace_service.proto (1.11).
//
// Texts go out as valid UTF-8, as receivers refuse a whole request otherwise. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/otlp/span.h"

namespace tributary {

class TraceRequestBuilder {
 public:
  // `resource`: who exports. Scope: which of its parts made the spans.
  TraceRequestBuilder(const std::vector<SpanAttribute>& resource, std::string_view scope_name,
                      std::string_view scope_version);
  void Add(const Span& span);
  // Of the spans so far.
  size_t bytes() const { return spans_.size(); }
  // The request; the builder has no spans afterwards.
  std::string Finish();

 private:
  std::string resource_;  // encoded
  std::string scope_;
  std::string spans_;
  std::string scratch_;
};

}  // namespace tributary
