// The spans of one scrape, named as in prometheus scrape/scrape.go: "scrape", with "scrapeRequest"
// (until the head has come; the HTTP request is its child) and "scrapeRead" (until the body has).
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/tracing/request_spans.h"
#include "agent/tracing/tracer.h"

namespace tributary {

class ScrapeSpans {
 public:
  struct Result {
    uint64_t samples_scraped = 0, samples_added = 0, series_added = 0;
    int64_t bytes = 0;
    std::string error;  // empty: none
  };

  // Null where nothing is traced.
  static std::unique_ptr<ScrapeSpans> Begin(Tracer* tracer) {
    if (tracer == nullptr || !tracer->on()) return nullptr;
    return std::make_unique<ScrapeSpans>(*tracer);
  }
  explicit ScrapeSpans(Tracer& tracer);

  // For the request that is about to start.
  RequestWatcher* BeginRequest(const std::string& url);
  void OnHead();
  void OnDone(const std::string& error);
  void End(const Result& result);
  // Of a scrape that was not made.
  void EndUnmade();

 private:
  void Fail(Span& span, const std::string& error);

  Tracer& tracer_;
  Span scrape_;
  Span stage_;  // request or read
  bool reading_ = false;
  std::unique_ptr<RequestSpans> request_;
};

}  // namespace tributary
