#include "common/http_client/http_client.h"

#include <algorithm>
#include <utility>

#include "common/http_client/authorization.h"

namespace tributary {

// A request on its way: waiting, or with the transport.
class HttpClient::Call : public HttpHandler {
 public:
  Call(HttpClient& client, HttpRequestId id, HttpHandler* handler)
      : client_(client), id_(id), handler_(handler), timer_(client.loop_) {}
  // After OnDone, which may have ended the client; then nothing is under way.
  ~Call() override {
    if (sent_ != 0) client_.transport_.Cancel(sent_);
  }

  HttpHandler& handler() { return *handler_; }

  void Send(HttpRequest request) { sent_ = client_.transport_.Start(std::move(request), this); }
  // Later, as handlers are never called from inside Start.
  void Fail(HttpFailure failure, std::string message) {
    HttpOutcome outcome;
    outcome.failure = failure;
    outcome.message = std::move(message);
    timer_.Set(client_.loop_.Now(),
               [this, outcome = std::move(outcome)] { client_.Finish(id_, outcome); });
  }

 private:
  void OnHead(const HttpResponseHead& head) override { handler_->OnHead(head); }
  bool OnBody(std::string_view bytes) override { return handler_->OnBody(bytes); }
  void OnDone(const HttpOutcome& outcome) override {
    sent_ = 0;
    client_.Finish(id_, outcome);
  }

  HttpClient& client_;
  const HttpRequestId id_;
  HttpHandler* const handler_;
  Timer timer_;
  HttpRequestId sent_ = 0;
};

HttpClient::HttpClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                       const HttpClientConfig& config)
    : loop_(loop), transport_(transport), files_(files), config_(config) {}

HttpClient::~HttpClient() = default;

HttpRequestId HttpClient::Start(HttpRequest request, HttpHandler* handler) {
  const HttpRequestId id = ++last_id_;
  Call& call = *calls_.emplace(id, std::make_unique<Call>(*this, id, handler)).first->second;
  request.follow_redirects = config_.follow_redirects;
  if (FindHeader(request.headers, "Authorization").empty()) {
    Result<std::optional<std::string>> authorization = AuthorizationHeader(config_, files_);
    if (!authorization) {
      call.Fail(HttpFailure::kCredentials, std::move(authorization.error().message));
      return id;
    }
    if (*authorization) request.headers.push_back({"Authorization", std::move(**authorization)});
  }
  call.Send(std::move(request));
  return id;
}

void HttpClient::Cancel(HttpRequestId id) { calls_.erase(id); }

// The handler may end the client: nothing of it is used after.
void HttpClient::Finish(HttpRequestId id, const HttpOutcome& outcome) {
  const HttpOutcome copy = outcome;  // may be the call's own
  const auto node = calls_.extract(id);
  node.mapped()->handler().OnDone(copy);
}

}  // namespace tributary
