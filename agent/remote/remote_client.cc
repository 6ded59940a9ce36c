#include "agent/remote/remote_client.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "common/base/version.h"
#include "common/http_client/secrets.h"

namespace tributary {

namespace {

// So much of an error's body is kept for the log (client.go maxErrMsgLen).
constexpr size_t kErrorBytesMax = 1024;

constexpr char kContentTypeV1[] = "application/x-protobuf";
constexpr char kContentTypeV2[] = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

std::string FirstLine(const std::string& body) {
  std::string line = body.substr(0, std::min(body.find('\n'), kErrorBytesMax));
  while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.pop_back();
  return line;
}

SendOutcome::Blames BlamedBy(int status) {
  using Blames = SendOutcome::Blames;
  switch (status) {
    case 400:
      return Blames::kContent;
    case 401:
    case 403:
      return Blames::kCredentials;
    case 413:
      return Blames::kSize;
    case 415:
      return Blames::kProtocol;
    case 429:
      return Blames::kAmount;
    default:
      return Blames::kNothing;
  }
}

// What a receiver may repeat of what it was sent.
std::vector<std::string> SecretsOf(const RemoteWriteConfig& config, FileSystem& files,
                                   const std::string& access_token) {
  std::vector<std::string> secrets;
  auto add = [&](const std::string& value, const std::string& path) {
    if (auto secret = ValueOrFile(files, value, path); secret && !secret->empty()) {
      secrets.push_back(std::move(*secret));
    }
  };
  for (const auto& [name, value] : config.headers) add(value, "");
  if (const auto& basic = config.http.basic_auth) {
    add(basic->password.value, basic->password_file);
    auto user = ValueOrFile(files, basic->username, basic->username_file);
    if (user && !secrets.empty()) add(BasicCredentials(*user, secrets.back()).substr(6), "");
  }
  if (const auto& authorization = config.http.authorization) {
    add(authorization->credentials.value, authorization->credentials_file);
  }
  if (config.sigv4) add(config.sigv4->secret_key.value, "");
  add(access_token, "");
  for (const auto& [name, header] : config.http.http_headers) {
    for (const Secret& secret : header.secrets) add(secret.value, "");
    for (const std::string& file : header.files) add("", file);
  }
  return secrets;
}

// `headers` are added like http_headers, after what is signed.
HttpClientConfig ClientConfig(const RemoteWriteConfig& config) {
  HttpClientConfig client = config.http;
  for (const auto& [name, value] : config.headers) {
    client.http_headers[name].values.push_back(value);
  }
  return client;
}

}  // namespace

std::optional<nanoseconds> ParseRetryAfter(std::string_view value, TimestampMs now) {
  int64_t delay_s = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), delay_s);
  if (error == std::errc() && end == value.data() + value.size()) {
    // At once is no delay to keep to: the sender's own backoff is. Nobody means more than a year;
    // and nanoseconds must not overflow.
    if (delay_s <= 0) return std::nullopt;
    return seconds(std::min<int64_t>(delay_s, 365 * 86400));
  }
  struct tm date {};
  const std::string text(value);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const TimestampMs at = static_cast<TimestampMs>(timegm(&date)) * 1000;
  if (at <= now) return std::nullopt;
  return milliseconds(std::min<TimestampMs>(at - now, TimestampMs{365} * 86400 * 1000));
}

class RemoteClient::Exchange : public HttpHandler {
 public:
  Exchange(RemoteClient& client, uint64_t send, Done done, std::unique_ptr<SendSpans> spans)
      : client_(client), send_(send), done_(std::move(done)), spans_(std::move(spans)) {}
  // After `done`, which may have ended the client; then nothing is under way.
  ~Exchange() override {
    if (request_ != 0) client_.http_->Cancel(request_);
  }

  void Start(HttpRequest request) {
    RequestWatcher* const watcher = spans_ != nullptr ? spans_->watcher() : nullptr;
    request_ = client_.http_->Start(std::move(request), this, watcher);
  }
  Done TakeDone() { return std::move(done_); }

  void OnHead(const HttpResponseHead& head) override {
    retry_after_ = head.Header("Retry-After");
    written_ = ParseWrittenStats(head);
  }
  bool OnBody(std::string_view bytes) override {
    body_.append(bytes.substr(0, kErrorBytesMax - std::min(kErrorBytesMax, body_.size())));
    return true;
  }
  void OnDone(const HttpOutcome& outcome) override {
    request_ = 0;
    SendOutcome result = client_.Classify(outcome, body_, retry_after_);
    result.written = written_;
    if (spans_ != nullptr) spans_->End(result.message);
    client_.Finish(send_, std::move(result));
  }

 private:
  RemoteClient& client_;
  const uint64_t send_;
  Done done_;
  const std::unique_ptr<SendSpans> spans_;  // null: none
  HttpRequestId request_ = 0;
  std::string body_;
  std::string retry_after_;
  WrittenStats written_;
};

RemoteClient::RemoteClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                           std::shared_ptr<const RemoteWriteConfig> config, Tracer* tracer)
    : loop_(loop), files_(files), config_(std::move(config)), tracer_(tracer) {
  std::unique_ptr<Sigv4Signer> signer;
  if (config_->sigv4) {
    signer = std::make_unique<Sigv4Signer>(
        loop, transport, files, [](const char* name) { return std::getenv(name); },
        *config_->sigv4);
    signer_ = signer.get();
  }
  http_ = std::make_unique<HttpClient>(loop, transport, files, ClientConfig(*config_),
                                       std::move(signer));
}

RemoteClient::~RemoteClient() = default;

uint64_t RemoteClient::Send(std::shared_ptr<const std::string> body, int attempt, Done done,
                            const SendContents& contents) {
  const uint64_t send = ++last_send_;
  auto spans = SendSpans::Begin(tracer_, *config_, {contents, body->size(), attempt});
  auto& exchange =
      exchanges_
          .emplace(send, std::make_unique<Exchange>(*this, send, std::move(done), std::move(spans)))
          .first->second;
  const bool is_v1 = config_->message == RemoteWriteMessage::kV1;
  HttpRequest request;
  request.method = "POST";
  request.url = config_->url;
  request.headers = {{"Content-Encoding", "snappy"},
                     {"Content-Type", is_v1 ? kContentTypeV1 : kContentTypeV2},
                     {"User-Agent", fmt::format("Tributary/{}", Version())},
                     {"X-Prometheus-Remote-Write-Version", is_v1 ? "0.1.0" : "2.0.0"}};
  if (attempt > 0) request.headers.push_back({"Retry-Attempt", std::to_string(attempt)});
  request.body = std::move(body);
  request.timeout = config_->remote_timeout;
  exchange->Start(std::move(request));
  return send;
}

std::optional<SigningStats> RemoteClient::signing_stats() const {
  if (signer_ == nullptr) return std::nullopt;
  return SigningStats{signer_->failures(), signer_->corrections()};
}

void RemoteClient::Cancel(uint64_t send) { exchanges_.erase(send); }

void RemoteClient::Finish(uint64_t send, SendOutcome outcome) {
  auto node = exchanges_.extract(send);
  if (node.empty()) return;
  node.mapped()->TakeDone()(std::move(outcome));
}

SendOutcome RemoteClient::Classify(const HttpOutcome& outcome, const std::string& body,
                                   const std::string& retry_after) const {
  SendOutcome result;
  result.status = outcome.status;
  if (outcome.failure == HttpFailure::kInvalidUrl) {
    result.kind = SendOutcome::Kind::kRejected;
    result.message = outcome.message;
    return result;
  }
  // Without the head of a final response nobody knows what the receiver did: send again. A status
  // that has arrived counts even if its body is cut off or never ends, so that a receiver which
  // accepts samples and then breaks off is not sent them for ever.
  if (outcome.status == 0 || outcome.failure == HttpFailure::kTooManyRedirects) {
    result.kind = SendOutcome::Kind::kRetry;
    result.message = outcome.message;
    return result;
  }
  if (outcome.status / 100 == 2) return result;
  const bool recoverable =
      outcome.status / 100 == 5 || (outcome.status == 429 && config_->queue.retry_on_http_429);
  result.kind = recoverable ? SendOutcome::Kind::kRetry : SendOutcome::Kind::kRejected;
  result.blames = BlamedBy(outcome.status);
  result.message =
      fmt::format("the receiver answered {}: {}", outcome.status,
                  HideSecrets(FirstLine(body), SecretsOf(*config_, files_, http_->access_token()),
                              kErrorBytesMax));
  if (recoverable) result.retry_after = ParseRetryAfter(retry_after, loop_.WallMs());
  return result;
}

}  // namespace tributary
