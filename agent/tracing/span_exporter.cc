#include "agent/tracing/span_exporter.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "agent/tracing/grpc.h"
#include "common/base/version.h"
#include "common/compress/deflate.h"
#include "common/otlp/trace_response.h"

namespace tributary {

namespace {

constexpr nanoseconds kTimeoutDefault = seconds(10);
constexpr nanoseconds kBackoffMin = seconds(5), kBackoffMax = seconds(30);
// What is kept of an answer's body.
constexpr size_t kAnswerBytesMax = 64 << 10;
// Of a receiver's words in the log.
constexpr size_t kMessageBytesMax = 512;

constexpr char kHttpPath[] = "/v1/traces";
constexpr char kGrpcPath[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr char kProtobuf[] = "application/x-protobuf";

bool HasPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  const size_t bracket = address.rfind(']');
  return colon != std::string::npos && (bracket == std::string::npos || bracket < colon);
}

std::string UrlOf(const TracingConfig& config) {
  const bool is_grpc = config.protocol == TracingProtocol::kGrpc;
  // The port of gRPC is this one, with and without TLS.
  const char* const port = is_grpc && !HasPort(config.endpoint) ? ":443" : "";
  return fmt::format("{}://{}{}{}", config.insecure ? "http" : "https", config.endpoint, port,
                     is_grpc ? kGrpcPath : kHttpPath);
}

std::vector<HttpHeader> HeadersOf(const TracingConfig& config) {
  std::vector<HttpHeader> headers;
  if (config.protocol == TracingProtocol::kGrpc) {
    headers = GrpcHeaders(config.gzip);
    for (const auto& [name, value] : config.headers) {
      if (auto metadata = GrpcMetadata(name, value.value)) headers.push_back(*std::move(metadata));
    }
  } else {
    headers = {{"Content-Type", kProtobuf}};
    if (config.gzip) headers.push_back({"Content-Encoding", "gzip"});
    for (const auto& [name, value] : config.headers) headers.push_back({name, value.value});
  }
  headers.push_back({"User-Agent", fmt::format("Tributary/{}", Version())});
  return headers;
}

HttpClientConfig ClientOf(const TracingConfig& config) {
  HttpClientConfig client;
  client.tls = config.tls;
  const bool is_grpc = config.protocol == TracingProtocol::kGrpc;
  client.follow_redirects = !is_grpc;
  // HTTP/2 in the clear needs a tunnel through a proxy, which there is for https only.
  client.proxy.proxy_from_environment = !is_grpc || !config.insecure;
  return client;
}

std::vector<SpanAttribute> Resource() {
  const std::string version(Version());
  return {{"service.name", std::string("tributary")},
          {"service.version", version},
          {"telemetry.sdk.language", std::string("cpp")},
          {"telemetry.sdk.name", std::string("tributary")},
          {"telemetry.sdk.version", version}};
}

std::string Clipped(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return std::string(text.substr(0, kMessageBytesMax));
}

// Seconds only: receivers of OTLP send nothing else.
nanoseconds RetryAfter(const HttpResponseHead& head) {
  const std::string_view text = head.Header("Retry-After");
  int64_t delay_s = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), delay_s);
  const bool good = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return seconds(good ? std::clamp<int64_t>(delay_s, 0, 86400) : 0);
}

bool MayPass(GrpcStatus status) {
  return status.Is(GrpcCode::kCanceled) || status.Is(GrpcCode::kDeadlineExceeded) ||
         status.Is(GrpcCode::kAborted) || status.Is(GrpcCode::kOutOfRange) ||
         status.Is(GrpcCode::kUnavailable) || status.Is(GrpcCode::kDataLoss);
}

}  // namespace

SpanExporter::SpanExporter(const TracingEnvironment& environment, const TracingConfig& config,
                           TracingStats& stats, std::function<uint64_t()> random)
    : env_(environment),
      config_(config),
      stats_(stats),
      random_(std::move(random)),
      url_(UrlOf(config)),
      headers_(HeadersOf(config)),
      timeout_(config.timeout.count() > 0 ? nanoseconds(config.timeout) : kTimeoutDefault),
      http_(env_.loop, env_.transport, env_.files, ClientOf(config)),
      builder_(Resource(), "tributary", Version()),
      batch_timer_(env_.loop),
      retry_timer_(env_.loop),
      flush_timer_(env_.loop) {}

SpanExporter::~SpanExporter() { stats_.stopped += spans(); }

void SpanExporter::Add(Span span) {
  if (queue_.size() >= kQueueMax) {
    stats_.queue_full++;
    return;
  }
  queue_.push_back(std::move(span));
  if (batch_spans_ > 0) return;
  if (queue_.size() >= kBatchMax) {
    ExportNext();
  } else if (!batch_timer_.active()) {
    batch_timer_.SetAfter(kBatchDelay, [this] { ExportNext(); });
  }
}

void SpanExporter::Flush(nanoseconds limit, std::function<void()> done) {
  flushed_ = std::move(done);
  if (spans() == 0) {
    flush_timer_.SetAfter(nanoseconds(0), [this] { EndFlush(); });
    return;
  }
  flush_timer_.SetAfter(limit, [this] { EndFlush(); });
  if (batch_spans_ == 0) ExportNext();
}

// The last that is done: whoever is told may end the exporter.
void SpanExporter::EndFlush() {
  batch_timer_.Cancel();
  retry_timer_.Cancel();
  flush_timer_.Cancel();
  http_.Cancel(std::exchange(request_, 0));
  stats_.stopped += spans();
  queue_.clear();
  batch_spans_ = 0;
  const auto done = std::exchange(flushed_, nullptr);
  done();
}

void SpanExporter::ExportNext() {
  batch_timer_.Cancel();
  while (!queue_.empty() && batch_spans_ < kBatchMax && builder_.bytes() < kBatchBytesMax) {
    builder_.Add(queue_.front());
    queue_.pop_front();
    batch_spans_++;
  }
  more_waited_ = !queue_.empty();
  std::string body = builder_.Finish();
  if (config_.gzip) body = Gzip(body);
  if (is_grpc()) body = FrameGrpcMessage(body, config_.gzip);
  body_ = std::make_shared<const std::string>(std::move(body));
  // By gRPC the timeout is that of all attempts.
  deadline_ = env_.loop.Now() + (is_grpc() ? std::min(timeout_, kExportMax) : kExportMax);
  backoff_ = kBackoffMin;
  Attempt();
}

void SpanExporter::Attempt() {
  head_ = {};
  answer_.clear();
  trailers_.clear();
  HttpRequest request;
  request.method = "POST";
  request.url = url_;
  request.headers = headers_;
  request.body = body_;
  request.http2_only = is_grpc();
  request.timeout = std::min(timeout_, deadline_ - env_.loop.Now());
  if (is_grpc()) {
    const auto ms = std::chrono::ceil<milliseconds>(request.timeout).count();
    // At most eight digits.
    request.headers.push_back({"grpc-timeout", fmt::format("{}m", ms)});
  }
  request_ = http_.Start(std::move(request), this);
}

bool SpanExporter::OnBody(std::string_view bytes) {
  answer_.append(bytes.substr(0, kAnswerBytesMax - std::min(kAnswerBytesMax, answer_.size())));
  return true;
}

void SpanExporter::OnDone(const HttpOutcome& outcome) {
  request_ = 0;
  const Answer answer = AnswerOf(outcome);
  if (answer.kind == Answer::Kind::kRetry && Retry(answer)) return;
  Settle(answer);
}

SpanExporter::Answer SpanExporter::AnswerOf(const HttpOutcome& outcome) const {
  switch (outcome.failure) {
    case HttpFailure::kNone:
      return is_grpc() ? GrpcAnswer() : HttpAnswer();
    case HttpFailure::kResolve:
    case HttpFailure::kConnect:
    case HttpFailure::kTls:
    case HttpFailure::kTimeout:
    case HttpFailure::kClosed:
    case HttpFailure::kCredentials:
      return {Answer::Kind::kRetry, outcome.message, {}, 0};
    default:
      return {Answer::Kind::kFailed, outcome.message, {}, 0};
  }
}

SpanExporter::Answer SpanExporter::GrpcAnswer() const {
  const GrpcStatus status = GrpcStatusOf(head_, trailers_);
  if (status.Is(GrpcCode::kOk)) {
    const auto message = UnframeGrpcMessage(answer_);
    const auto partial = message ? ParseTraceResponse(*message) : std::nullopt;
    if (!partial) return {Answer::Kind::kFailed, "the answer makes no sense", {}, 0};
    return {Answer::Kind::kTaken,
            Clipped(partial->message),
            {},
            static_cast<uint64_t>(std::max<int64_t>(partial->rejected_spans, 0))};
  }
  const auto kind = MayPass(status) ? Answer::Kind::kRetry : Answer::Kind::kRejected;
  return {kind, fmt::format("gRPC status {}: {}", status.code, Clipped(status.message)), {}, 0};
}

SpanExporter::Answer SpanExporter::HttpAnswer() const {
  const int status = head_.status;
  if (status / 100 == 2) {
    if (answer_.empty() || head_.Header("Content-Type") != kProtobuf) return {};
    const auto partial = ParseTraceResponse(answer_);
    if (!partial) return {Answer::Kind::kFailed, "the answer makes no sense", {}, 0};
    return {Answer::Kind::kTaken,
            Clipped(partial->message),
            {},
            static_cast<uint64_t>(std::max<int64_t>(partial->rejected_spans, 0))};
  }
  const bool may_pass = status == 429 || status == 502 || status == 503 || status == 504;
  return {may_pass ? Answer::Kind::kRetry : Answer::Kind::kRejected,
          fmt::format("the receiver answered {}: {}", status, Clipped(answer_)), RetryAfter(head_),
          0};
}

bool SpanExporter::Retry(const Answer& answer) {
  // Half more or less, so that senders that failed together do not return together.
  const nanoseconds jitter(static_cast<int64_t>(random_() % 1000) * (backoff_.count() / 1000));
  const nanoseconds wait = std::max(answer.retry_after, backoff_ / 2 + jitter);
  backoff_ = std::min(backoff_ * 3 / 2, kBackoffMax);
  if (env_.loop.Now() + wait >= deadline_) return false;
  retry_timer_.SetAfter(wait, [this] {
    stats_.retries++;
    Attempt();
  });
  return true;
}

// The batch is exported or lost.
void SpanExporter::Settle(const Answer& answer) {
  const uint64_t count = std::exchange(batch_spans_, 0);
  uint64_t lost = count;
  switch (answer.kind) {
    case Answer::Kind::kTaken:
      lost = std::min(answer.rejected_spans, count);
      stats_.exported += count - lost;
      stats_.rejected += lost;
      break;
    case Answer::Kind::kRejected:
      stats_.rejected += count;
      break;
    default:
      stats_.failed += count;
  }
  body_.reset();
  if (lost > 0 || !answer.message.empty()) LogFailure(answer, lost);
  GoOn();
}

void SpanExporter::GoOn() {
  if (queue_.empty()) {
    if (flushed_ != nullptr) EndFlush();
  } else if (queue_.size() >= kBatchMax || more_waited_ || flushed_ != nullptr) {
    ExportNext();
  } else {
    batch_timer_.SetAfter(kBatchDelay, [this] { ExportNext(); });
  }
}

void SpanExporter::LogFailure(const Answer& answer, uint64_t spans) {
  uint64_t held_back = 0;
  if (!failure_log_.Allow(env_.loop.Now(), held_back)) return;
  env_.logger.Error("exporting spans failed", {{"endpoint", config_.endpoint},
                                               {"spans", std::to_string(spans)},
                                               {"err", answer.message},
                                               {"similar", std::to_string(held_back)}});
}

}  // namespace tributary
