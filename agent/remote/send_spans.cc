#include "agent/remote/send_spans.h"

#include <utility>

namespace tributary {

namespace {

const char* NameOf(const SendContents& contents) {
  return contents.metadata > 0 ? "Remote Metadata Send Batch" : "Remote Send Batch";
}

}  // namespace

SendSpans::SendSpans(Tracer& tracer, const RemoteWriteConfig& remote, const Attempt& attempt)
    : tracer_(tracer),
      batch_(tracer.Begin(NameOf(attempt.contents), SpanKind::kInternal)),
      store_(tracer.Begin("Remote Store", SpanKind::kClient, &batch_.context)),
      request_(tracer, store_.context) {
  const SampleCounts& samples = attempt.contents.samples;
  const bool is_metadata = attempt.contents.metadata > 0;
  const auto set = [this](std::string_view key, uint64_t value) {
    batch_.Set(key, static_cast<int64_t>(value));
  };
  if (is_metadata) {
    set("metadata", attempt.contents.metadata);
  } else {
    set("request_size", attempt.bytes);
    set("samples", samples.samples);
  }
  batch_.Set("try", int64_t{attempt.number});
  batch_.Set("remote_name", remote.name);
  batch_.Set("remote_url", RedactUrl(remote.url));
  if (is_metadata && attempt.number > 0) batch_.Set("http.resend_count", int64_t{attempt.number});
  if (samples.exemplars > 0) set("exemplars", samples.exemplars);
  if (samples.histograms > 0) set("histograms", samples.histograms);
}

void SendSpans::End(const std::string& error) {
  tracer_.End(std::move(store_));
  if (!error.empty()) tracer_.AddError(batch_, error);
  tracer_.End(std::move(batch_));
}

}  // namespace tributary
