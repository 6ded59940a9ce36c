#include "common/http_client/http_client.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "common/http_client/authorization.h"
#include "common/http_client/redirect.h"
#include "common/http_client/secrets.h"

namespace tributary {

namespace {

// Of a body that nobody reads, such as a redirect's, so that its connection can be used again.
constexpr size_t kUnreadBodyMax = 64 << 10;

HttpOutcome Failure(HttpFailure failure, std::string message) {
  HttpOutcome outcome;
  outcome.failure = failure;
  outcome.message = std::move(message);
  return outcome;
}

}  // namespace

// A request on its way: waiting for a token, or with the transport, once for each redirect.
class HttpClient::Call : public HttpHandler {
 public:
  Call(HttpClient& client, HttpRequestId id, HttpRequest request, HttpHandler* handler,
       RequestWatcher* watcher)
      : client_(client),
        transport_(client.transport_),
        id_(id),
        handler_(handler),
        watcher_(watcher),
        deadline_(client.loop_.Now() + request.timeout),
        request_(std::move(request)),
        timer_(client.loop_) {
    if (client_.signer_ == nullptr) return;
    for (const HttpHeader& header : request_.headers) signed_.push_back(header.name);
  }
  // After OnDone, which may have ended the client; then nothing is under way.
  ~Call() override {
    if (sent_ != 0) transport_.Cancel(sent_);
  }

  HttpHandler& handler() { return *handler_; }
  HttpRequest& request() { return request_; }
  bool waiting() const { return waiting_; }

  void WaitFor(const char* what) {
    waiting_ = true;
    timer_.Set(deadline_, [this, what] { TimeOut(std::string("waiting for ") + what); });
  }
  void Send() {
    waiting_ = false;
    timer_.Cancel();
    if (client_.signer_ != nullptr && !Sign()) return;
    if (watcher_ != nullptr) watcher_->OnSend(request_);
    requests_++;
    sent_ = transport_.Start(request_, this);
  }
  // Later, as handlers are never called from inside Start.
  void Fail(std::string message) {
    waiting_ = false;
    timer_.Set(client_.loop_.Now(),
               [this, outcome = Failure(HttpFailure::kCredentials, std::move(message))] {
                 client_.Finish(id_, outcome);
               });
  }

 private:
  void OnHead(const HttpResponseHead& head) override {
    if (watcher_ != nullptr) watcher_->OnHead(head);
    if (client_.config_.follow_redirects && IsRedirect(head)) {
      redirect_ = head.status;
      location_ = head.Header("Location");
      body_bytes_ = 0;
    } else if (client_.signer_ != nullptr && client_.signer_->Learn(head) && !sent_again_) {
      send_again_ = sent_again_ = true;
      body_bytes_ = 0;
    } else {
      handler_->OnHead(head);
    }
  }
  bool OnBody(std::string_view bytes) override {
    if (redirect_ == 0 && !send_again_) return handler_->OnBody(bytes);
    body_bytes_ += bytes.size();
    return body_bytes_ <= kUnreadBodyMax;
  }
  void OnTrailers(const std::vector<HttpHeader>& trailers) override {
    if (redirect_ == 0 && !send_again_) handler_->OnTrailers(trailers);
  }
  void OnDone(const HttpOutcome& outcome) override {
    sent_ = 0;
    if (watcher_ != nullptr) watcher_->OnEnd(outcome);
    if (redirect_ != 0 && outcome.failure != HttpFailure::kTimeout) {
      Follow(std::exchange(redirect_, 0));
    } else if (std::exchange(send_again_, false) && outcome.failure != HttpFailure::kTimeout) {
      SendNext();
    } else {
      client_.Finish(id_, outcome);
    }
  }

  void TimeOut(const std::string& while_doing) {
    client_.Finish(id_, Failure(HttpFailure::kTimeout, "timed out " + while_doing));
  }

  // False: not now; it waits for credentials, or will fail.
  bool Sign() {
    const Result<bool> ready = client_.signer_->Prepare();
    if (!ready) {
      Fail(ready.error().message);
      return false;
    }
    if (!*ready) {
      WaitFor("credentials to sign with");
      return false;
    }
    client_.signer_->Sign(request_, signed_);
    return true;
  }

  // Another request of the same call, if there is time left for it.
  void SendNext() {
    request_.timeout = deadline_ - client_.loop_.Now();
    if (request_.timeout <= nanoseconds(0)) return TimeOut("before the next request");
    Send();
  }

  void Follow(int status) {
    if (requests_ == kRequestsMax) {
      HttpOutcome outcome = Failure(HttpFailure::kTooManyRedirects, "stopped after 10 redirects");
      outcome.status = status;
      return client_.Finish(id_, outcome);
    }
    const std::optional<std::string> url = ResolveLocation(request_.url, location_);
    if (!url) {
      return client_.Finish(
          id_, Failure(HttpFailure::kBadResponse, "a redirect to what is no http or https URL"));
    }
    if (first_host_.empty()) first_host_ = ParseHttpUrl(request_.url)->host;
    MakeNext(request_, status, *url);
    // Taken off once, they stay off, even if the way leads back.
    if (!IsSameOrBelow(ParseHttpUrl(*url)->host, first_host_)) DropCredentials(request_);
    auto proxy = client_.proxies_.For(*url);
    request_.proxy =
        proxy ? *proxy : nullptr;  // an error would have kept the first from being sent
    SendNext();
  }

  HttpClient& client_;
  HttpTransport& transport_;
  const HttpRequestId id_;
  HttpHandler* const handler_;
  RequestWatcher* const watcher_;  // null: nobody watches
  const MonotonicTime deadline_;
  HttpRequest request_;  // the one under way
  Timer timer_;
  std::vector<std::string> signed_;  // the headers that a signer signs
  bool waiting_ = false;
  bool send_again_ = false;  // while an answer is read after which the request is signed anew
  bool sent_again_ = false;
  HttpRequestId sent_ = 0;
  int requests_ = 0;
  int redirect_ = 0;  // the status, while one is read that will be followed
  std::string location_;
  size_t body_bytes_ = 0;
  std::string first_host_;
};

HttpClient::HttpClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                       const HttpClientConfig& config, std::unique_ptr<RequestSigner> signer)
    : loop_(loop),
      transport_(transport),
      files_(files),
      config_(config),
      tls_(files, config.tls),
      proxies_(config.proxy, [](const char* name) { return std::getenv(name); }),
      signer_(std::move(signer)) {
  if (config_.oauth2) {
    tokens_ = std::make_unique<TokenSource>(
        loop, transport, files, *config_.oauth2,
        [this](const Result<std::string>& authorization) { OnToken(authorization); });
  }
  if (signer_ != nullptr) {
    signer_->set_ready([this](const Status& ready) { OnSignerReady(ready); });
  }
}

HttpClient::~HttpClient() = default;

HttpRequestId HttpClient::Start(HttpRequest request, HttpHandler* handler,
                                RequestWatcher* watcher) {
  const HttpRequestId id = ++last_id_;
  Call& call =
      *calls_.emplace(id, std::make_unique<Call>(*this, id, std::move(request), handler, watcher))
           .first->second;
  const Status ready = Prepare(call.request());
  const bool needs_token =
      tokens_ != nullptr && FindHeader(call.request().headers, "Authorization").empty();
  if (!ready) {
    call.Fail(ready.error().message);
    return id;
  }
  if (needs_token) {
    auto token = tokens_->Authorization(FindHeader(call.request().headers, "User-Agent"));
    if (!token) {
      call.Fail(token.error().message);
      return id;
    }
    if (!*token) {
      call.WaitFor("an oauth2 token");
      return id;
    }
    call.request().headers.push_back({"Authorization", std::move(**token)});
  }
  call.Send();
  return id;
}

Status HttpClient::Prepare(HttpRequest& request) {
  if (Status added = AddHeaders(request); !added) return added;
  auto tls = tls_.Current();
  if (!tls) return tl::unexpected(tls.error());
  auto proxy = proxies_.For(request.url);
  if (!proxy) return tl::unexpected(proxy.error());
  request.tls = *std::move(tls);
  request.proxy = *std::move(proxy);
  request.http2 = config_.enable_http2;
  return {};
}

Status HttpClient::AddHeaders(HttpRequest& request) {
  for (const auto& [name, header] : config_.http_headers) {
    for (const std::string& value : header.values) request.headers.push_back({name, value});
    for (const Secret& secret : header.secrets) request.headers.push_back({name, secret.value});
    for (const std::string& path : header.files) {
      Result<std::string> value = ReadSecret(files_, path);
      if (!value) return tl::unexpected(value.error());
      if (!IsHeaderValue(*value)) {
        return Fail("what " + path +
                    " holds cannot be sent in a header: there is a line break or another "
                    "control character in it");
      }
      request.headers.push_back({name, *std::move(value)});
    }
  }
  if (!FindHeader(request.headers, "Authorization").empty()) return {};
  Result<std::optional<std::string>> authorization = AuthorizationHeader(config_, files_);
  if (!authorization) return tl::unexpected(authorization.error());
  if (*authorization) request.headers.push_back({"Authorization", std::move(**authorization)});
  return {};
}

void HttpClient::OnToken(const Result<std::string>& authorization) {
  for (Call* call : Waiting()) {
    if (!authorization) {
      call->Fail(authorization.error().message);
    } else {
      call->request().headers.push_back({"Authorization", *authorization});
      call->Send();
    }
  }
}

void HttpClient::OnSignerReady(const Status& ready) {
  for (Call* call : Waiting()) {
    if (!ready) {
      call->Fail(ready.error().message);
    } else {
      call->Send();
    }
  }
}

std::vector<HttpClient::Call*> HttpClient::Waiting() const {
  std::vector<HttpRequestId> ids;
  for (const auto& [id, call] : calls_) {
    if (call->waiting()) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  std::vector<Call*> waiting;
  for (const HttpRequestId id : ids) waiting.push_back(calls_.at(id).get());
  return waiting;
}

void HttpClient::Cancel(HttpRequestId id) { calls_.erase(id); }

// The handler may end the client: nothing of it is used after.
void HttpClient::Finish(HttpRequestId id, const HttpOutcome& outcome) {
  const HttpOutcome copy = outcome;  // may be the call's own
  const auto node = calls_.extract(id);
  node.mapped()->handler().OnDone(copy);
}

}  // namespace tributary
