#include "agent/scrape/scrape_spans.h"

#include <utility>

#include "common/config/model.h"

namespace tributary {

ScrapeSpans::ScrapeSpans(Tracer& tracer)
    : tracer_(tracer), scrape_(tracer.Begin("scrape", SpanKind::kInternal)) {}

RequestWatcher* ScrapeSpans::BeginRequest(const std::string& url) {
  stage_ = tracer_.Begin("scrapeRequest", SpanKind::kClient, &scrape_.context);
  stage_.Set("url", RedactUrl(url));
  request_ = std::make_unique<RequestSpans>(tracer_, stage_.context);
  return request_.get();
}

void ScrapeSpans::OnHead() {
  tracer_.End(std::move(stage_));
  stage_ = tracer_.Begin("scrapeRead", SpanKind::kInternal, &scrape_.context);
  reading_ = true;
}

void ScrapeSpans::OnDone(const std::string& error) {
  if (reading_ && !error.empty()) Fail(stage_, error);
  tracer_.End(std::move(stage_));
}

void ScrapeSpans::Fail(Span& span, const std::string& error) {
  tracer_.AddError(span, error);
  span.SetError(error);
}

void ScrapeSpans::End(const Result& result) {
  scrape_.Set("samples_scraped", static_cast<int64_t>(result.samples_scraped));
  scrape_.Set("samples_added", static_cast<int64_t>(result.samples_added));
  scrape_.Set("series_added", static_cast<int64_t>(result.series_added));
  scrape_.Set("bytes", result.bytes);
  if (!result.error.empty()) Fail(scrape_, result.error);
  tracer_.End(std::move(scrape_));
}

void ScrapeSpans::EndUnmade() { tracer_.End(std::move(scrape_)); }

}  // namespace tributary
