// Exports spans by OTLP, over gRPC or HTTP, as one `tracing` section says. Follows OpenTelemetry's
// Go SDK (1.47): sdk/trace/batch_span_processor.go and exporters/otlp/otlptrace/{otlptracegrpc,
// otlptracehttp}, with their defaults.
//
// One thread (the loop's). One export is under way at a time. Bounds: kQueueMax spans wait; more
// are dropped. A batch has at most kBatchMax spans and little over kBatchBytesMax bytes. Every span
// is counted in the end: exported, or dropped for a reason.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/logging/logger.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/http_client.h"
#include "common/otlp/span.h"
#include "common/otlp/trace_request.h"

namespace tributary {

struct TracingStats {
  uint64_t exported = 0;
  uint64_t retries = 0;  // attempts after the first
  // Dropped spans.
  uint64_t queue_full = 0;
  uint64_t failed = 0;    // the receiver could not be reached, or was not ready, for too long
  uint64_t rejected = 0;  // by the receiver
  uint64_t stopped = 0;   // there was no time left for them
};

struct TracingEnvironment {
  EventLoop& loop;
  HttpTransport& transport;
  FileSystem& files;
  Logger& logger;
};

class SpanExporter : private HttpHandler {
 public:
  static constexpr size_t kQueueMax = 2048;
  static constexpr size_t kBatchMax = 512;
  static constexpr size_t kBatchBytesMax = 3 << 20;  // receivers of gRPC take 4 MiB
  static constexpr nanoseconds kBatchDelay = seconds(5);
  static constexpr nanoseconds kExportMax = seconds(30);  // of a batch, with all its attempts

  // `stats` outlives it. `random`: for jitter.
  SpanExporter(const TracingEnvironment& environment, const TracingConfig& config,
               TracingStats& stats, std::function<uint64_t()> random);
  ~SpanExporter() override;  // drops what it has
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  const TracingConfig& config() const { return config_; }
  void Add(Span span);
  // Exports what it has without waiting for more. `done` runs on the loop when it has nothing left,
  // or after `limit`, which drops the rest. To be called once; nothing may be added after.
  void Flush(nanoseconds limit, std::function<void()> done);
  // Waiting or being exported.
  size_t spans() const { return queue_.size() + batch_spans_; }

 private:
  // What became of an attempt.
  struct Answer {
    enum class Kind : uint8_t { kTaken, kRetry, kFailed, kRejected };
    Kind kind = Kind::kTaken;
    std::string message;          // unless all was taken
    nanoseconds retry_after{};    // as the receiver asks
    uint64_t rejected_spans = 0;  // of what was taken
  };

  void OnHead(const HttpResponseHead& head) override { head_ = head; }
  bool OnBody(std::string_view bytes) override;
  void OnTrailers(const std::vector<HttpHeader>& trailers) override { trailers_ = trailers; }
  void OnDone(const HttpOutcome& outcome) override;

  bool is_grpc() const { return config_.protocol == TracingProtocol::kGrpc; }
  void ExportNext();
  void Attempt();
  Answer AnswerOf(const HttpOutcome& outcome) const;
  Answer GrpcAnswer() const;
  Answer HttpAnswer() const;
  // Whether the batch is tried again.
  bool Retry(const Answer& answer);
  void Settle(const Answer& answer);
  void GoOn();
  void EndFlush();
  void LogFailure(const Answer& answer, uint64_t spans);

  const TracingEnvironment env_;
  const TracingConfig config_;
  TracingStats& stats_;
  const std::function<uint64_t()> random_;
  const std::string url_;
  const std::vector<HttpHeader> headers_;
  const nanoseconds timeout_;
  HttpClient http_;
  TraceRequestBuilder builder_;
  std::deque<Span> queue_;
  Timer batch_timer_;

  // The batch under way.
  size_t batch_spans_ = 0;    // 0: none
  bool more_waited_ = false;  // than had room in it
  std::shared_ptr<const std::string> body_;
  MonotonicTime deadline_{};
  nanoseconds backoff_{};
  Timer retry_timer_;
  HttpRequestId request_ = 0;
  HttpResponseHead head_;
  std::string answer_;
  std::vector<HttpHeader> trailers_;

  std::function<void()> flushed_;  // not null: flushing
  Timer flush_timer_;
  LogLimiter failure_log_{seconds(60)};
};

}  // namespace tributary
