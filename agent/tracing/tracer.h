// Traces of what a worker does: makes spans, decides which traces are sampled, and exports those.
// Follows OpenTelemetry's Go SDK (1.47) as prometheus tracing/tracing.go (3.16) sets it up: the
// sampler is ParentBased(TraceIDRatioBased).
//
// One thread (the loop's). It must outlive whoever holds a span: a span that ends after a reload is
// exported as the new section says, or not at all.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "agent/telemetry/metric_sink.h"
#include "agent/tracing/span_exporter.h"
#include "common/config/model.h"
#include "common/otlp/span.h"

namespace tributary {

class Tracer {
 public:
  // What is left of the spans has so much time at a reload or at the end.
  static constexpr nanoseconds kFlushMax = seconds(5);

  // `seed`: of trace and span ids. Environment as for SpanExporter.
  Tracer(const TracingEnvironment& environment, uint64_t seed);
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // The section of the file; null: nothing is traced.
  void Apply(const std::optional<TracingConfig>& config);
  // Whether spans are to be made at all, sampled or not.
  bool on() const { return exporter_ != nullptr; }

  // A span that begins now: of the parent's trace and sampled as that, or the first of a new trace.
  // Only while it is on.
  Span Begin(std::string name, SpanKind kind, const SpanContext* parent = nullptr);
  // Notes that something failed; no change of the span's status.
  void AddError(Span& span, std::string message) const;
  // The span ends now.
  void End(Span span);
  // Exports what there is. `done` runs on the loop, at the latest after kFlushMax; from then on
  // nothing is traced.
  void Finish(std::function<void()> done);

  const TracingStats& stats() const { return stats_; }
  // Waiting or being exported.
  size_t spans() const;
  void Collect(MetricSink& sink) const;

 private:
  uint64_t NewId();
  int64_t NowNs(const Span& span) const;

  const TracingEnvironment env_;
  std::mt19937_64 random_;
  TracingStats stats_;
  double sampling_fraction_ = 0;
  bool was_on_ = false;                     // at any time
  std::unique_ptr<SpanExporter> exporter_;  // null: off
  std::unique_ptr<SpanExporter> ending_;    // of the section before
};

}  // namespace tributary
