// A span of a trace as OTLP has it: a stretch of time with a name, a place in its trace and
// attributes. Plain data. Source: opentelemetry-proto trace/v1/trace.proto (1.11).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/time.h"

namespace tributary {

using TraceId = std::array<unsigned char, 16>;
using SpanId = std::array<unsigned char, 8>;  // all zeros: none

// Values of trace.proto.
enum class SpanKind : uint8_t { kInternal = 1, kServer = 2, kClient = 3 };
enum class SpanStatus : uint8_t { kUnset = 0, kOk = 1, kError = 2 };

// Longer texts of a span are cut off there, so that its memory is bounded.
inline constexpr size_t kSpanTextBytesMax = 4096;
// Not in the middle of a rune.
std::string ClipSpanText(std::string text);

struct SpanAttribute {
  std::string_view key;  // a literal: it is not copied
  std::variant<std::string, int64_t, bool> value;
};

struct SpanEvent {
  int64_t time_ns = 0;    // since the Unix epoch
  std::string_view name;  // a literal
  std::vector<SpanAttribute> attributes;
};

// Where a span stands: what its children and the traceparent header need.
struct SpanContext {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;
};

struct Span {
  SpanContext context;
  SpanId parent{};
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  int64_t start_ns = 0, end_ns = 0;  // since the Unix epoch
  MonotonicTime started{};           // what the end is reckoned from
  std::vector<SpanAttribute> attributes;
  std::vector<SpanEvent> events;
  SpanStatus status = SpanStatus::kUnset;
  std::string status_message;

  // Nothing is kept of a span that is not sampled.
  void Set(std::string_view key, std::string value) {
    if (context.sampled) attributes.push_back({key, ClipSpanText(std::move(value))});
  }
  void Set(std::string_view key, int64_t value) {
    if (context.sampled) attributes.push_back({key, value});
  }
  void SetError(std::string message) {
    if (!context.sampled) return;
    status = SpanStatus::kError;
    status_message = ClipSpanText(std::move(message));
  }
};

}  // namespace tributary
