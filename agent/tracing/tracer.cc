#include "agent/tracing/tracer.h"

#include <utility>

namespace tributary {

namespace {

// By the trace's id, so that whoever samples the same fraction decides alike.
bool IsSampled(const TraceId& id, double fraction) {
  if (fraction >= 1) return true;
  if (!(fraction > 0)) return false;
  uint64_t low = 0;
  for (size_t i = 8; i < id.size(); i++) low = low << 8 | id[i];
  return low >> 1 < static_cast<uint64_t>(fraction * 0x1p63);
}

template <typename Id>
void PutId(uint64_t value, size_t offset, Id& id) {
  for (size_t i = 0; i < 8; i++, value >>= 8) id[offset + i] = static_cast<unsigned char>(value);
}

}  // namespace

Tracer::Tracer(const TracingEnvironment& environment, uint64_t seed)
    : env_(environment), random_(seed) {}

void Tracer::Apply(const std::optional<TracingConfig>& config) {
  if (config ? on() && exporter_->config() == *config : !on()) return;
  if (on()) {
    // An earlier one that still has something has had its time.
    ending_ = std::move(exporter_);
    ending_->Flush(kFlushMax, [this] { ending_.reset(); });
  }
  if (!config) {
    env_.logger.Info("tracing is off");
    return;
  }
  was_on_ = true;
  sampling_fraction_ = config->sampling_fraction;
  exporter_ = std::make_unique<SpanExporter>(env_, *config, stats_, [this] { return random_(); });
  env_.logger.Info("tracing is on", {{"endpoint", config->endpoint}});
}

// All zeros is no id.
uint64_t Tracer::NewId() {
  uint64_t id = 0;
  while (id == 0) id = random_();
  return id;
}

Span Tracer::Begin(std::string name, SpanKind kind, const SpanContext* parent) {
  Span span;
  span.name = std::move(name);
  span.kind = kind;
  if (parent != nullptr) {
    span.context = *parent;
    span.parent = parent->span_id;
  } else {
    PutId(NewId(), 0, span.context.trace_id);
    PutId(NewId(), 8, span.context.trace_id);
    span.context.sampled = IsSampled(span.context.trace_id, sampling_fraction_);
  }
  PutId(NewId(), 0, span.context.span_id);
  span.started = env_.loop.Now();
  span.start_ns = env_.loop.WallNs();
  return span;
}

// A step of the wall clock must not show in a span's length.
int64_t Tracer::NowNs(const Span& span) const {
  return span.start_ns + (env_.loop.Now() - span.started).count();
}

void Tracer::AddError(Span& span, std::string message) const {
  if (!span.context.sampled) return;
  span.events.push_back(
      {NowNs(span), "exception", {{"exception.message", ClipSpanText(std::move(message))}}});
}

void Tracer::End(Span span) {
  if (!span.context.sampled || !on()) return;
  span.end_ns = NowNs(span);
  exporter_->Add(std::move(span));
}

void Tracer::Finish(std::function<void()> done) {
  if (!on()) return env_.loop.Post(std::move(done));
  ending_ = std::move(exporter_);
  ending_->Flush(kFlushMax, [this, done = std::move(done)] {
    const auto call = done;  // outlives the exporter
    ending_.reset();
    call();
  });
}

size_t Tracer::spans() const {
  return (exporter_ ? exporter_->spans() : 0) + (ending_ ? ending_->spans() : 0);
}

void Tracer::Collect(MetricSink& sink) const {
  if (!was_on_) return;
  const auto counter = [&](const char* name, const char* help, const MetricLabels& labels,
                           uint64_t value) {
    sink.AddCounter(name, help, labels, static_cast<double>(value));
  };
  counter("tributary_tracing_spans_exported_total", "Spans that the receiver of traces took.", {},
          stats_.exported);
  counter("tributary_tracing_export_retries_total", "Exports of spans that were tried again.", {},
          stats_.retries);
  const std::pair<const char*, uint64_t> reasons[] = {{"queue_full", stats_.queue_full},
                                                      {"failed", stats_.failed},
                                                      {"rejected", stats_.rejected},
                                                      {"stopped", stats_.stopped}};
  for (const auto& [reason, value] : reasons) {
    counter("tributary_tracing_spans_dropped_total", "Sampled spans that were not exported.",
            {{"reason", reason}}, value);
  }
  sink.AddGauge("tributary_tracing_spans_pending", "Spans that wait or are being exported.", {},
                static_cast<double>(spans()));
}

}  // namespace tributary
