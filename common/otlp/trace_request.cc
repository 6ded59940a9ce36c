#include "common/otlp/trace_request.h"

#include <algorithm>

#include "common/base/utf8.h"
#include "common/wire/protobuf_writer.h"

namespace tributary {

namespace {

using protobuf::AppendBytesField;
using protobuf::AppendFixed32Field;
using protobuf::AppendFixed64Field;
using protobuf::AppendVarintField;

// Of the attributes' names that are used (OpenTelemetry semantic conventions).
constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.43.0";
// SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK: whether the parent is remote is known, and it is not.
constexpr uint32_t kFlagsLocalParent = 0x100;
constexpr uint32_t kFlagSampled = 1;

template <size_t kSize>
std::string_view Bytes(const std::array<unsigned char, kSize>& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

void AppendText(uint32_t field, std::string_view text, std::string& out) {
  if (IsValidUtf8(text)) {
    AppendBytesField(field, text, out);
  } else {
    AppendBytesField(field, ToValidUtf8(text), out);
  }
}

void AppendAttribute(uint32_t field, const SpanAttribute& attribute, std::string& out) {
  std::string value;  // AnyValue
  if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    AppendText(1, *text, value);
  } else if (const bool* flag = std::get_if<bool>(&attribute.value)) {
    AppendVarintField(2, *flag ? 1 : 0, value);
  } else {
    AppendVarintField(3, static_cast<uint64_t>(std::get<int64_t>(attribute.value)), value);
  }
  std::string pair;  // KeyValue
  AppendBytesField(1, attribute.key, pair);
  AppendBytesField(2, value, pair);
  AppendBytesField(field, pair, out);
}

void AppendEvent(const SpanEvent& event, std::string& out) {
  std::string bytes;
  AppendFixed64Field(1, static_cast<uint64_t>(event.time_ns), bytes);
  AppendBytesField(2, event.name, bytes);
  for (const SpanAttribute& attribute : event.attributes) AppendAttribute(3, attribute, bytes);
  AppendBytesField(11, bytes, out);
}

void AppendStatus(const Span& span, std::string& out) {
  if (span.status == SpanStatus::kUnset) return;
  std::string bytes;
  if (!span.status_message.empty()) AppendText(2, span.status_message, bytes);
  AppendVarintField(3, static_cast<uint64_t>(span.status), bytes);
  AppendBytesField(15, bytes, out);
}

void AppendSpan(const Span& span, std::string& out) {
  AppendBytesField(1, Bytes(span.context.trace_id), out);
  AppendBytesField(2, Bytes(span.context.span_id), out);
  if (span.parent != SpanId{}) AppendBytesField(4, Bytes(span.parent), out);
  AppendText(5, span.name, out);
  AppendVarintField(6, static_cast<uint64_t>(span.kind), out);
  AppendFixed64Field(7, static_cast<uint64_t>(std::max<int64_t>(span.start_ns, 0)), out);
  AppendFixed64Field(8, static_cast<uint64_t>(std::max<int64_t>(span.end_ns, 0)), out);
  for (const SpanAttribute& attribute : span.attributes) AppendAttribute(9, attribute, out);
  for (const SpanEvent& event : span.events) AppendEvent(event, out);
  AppendStatus(span, out);
  AppendFixed32Field(16, kFlagsLocalParent | (span.context.sampled ? kFlagSampled : 0), out);
}

}  // namespace

TraceRequestBuilder::TraceRequestBuilder(const std::vector<SpanAttribute>& resource,
                                         std::string_view scope_name,
                                         std::string_view scope_version) {
  for (const SpanAttribute& attribute : resource) AppendAttribute(1, attribute, resource_);
  AppendBytesField(1, scope_name, scope_);
  AppendBytesField(2, scope_version, scope_);
}

void TraceRequestBuilder::Add(const Span& span) {
  scratch_.clear();
  AppendSpan(span, scratch_);
  AppendBytesField(2, scratch_, spans_);  // ScopeSpans.spans
}

std::string TraceRequestBuilder::Finish() {
  std::string scope_spans;
  AppendBytesField(1, scope_, scope_spans);
  scope_spans += spans_;
  std::string resource_spans;
  AppendBytesField(1, resource_, resource_spans);
  AppendBytesField(2, scope_spans, resource_spans);
  AppendBytesField(3, kSchemaUrl, resource_spans);
  std::string request;
  AppendBytesField(1, resource_spans, request);
  spans_.clear();
  return request;
}

}  // namespace tributary
