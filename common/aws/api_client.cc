#include "common/aws/api_client.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include "common/aws/endpoint.h"
#include "common/aws/sigv4.h"
#include "common/base/hash.h"
#include "common/base/version.h"
#include "common/http_client/secrets.h"

namespace tributary {
namespace {

using Kind = AwsApiError::Kind;

constexpr int kAttemptsMax = 3;
constexpr seconds kTimeout(30);
constexpr size_t kBodyBytesMax = 64 << 20;

Sigv4Config ChainOf(const AwsSdAccess& access) {
  Sigv4Config chain;
  chain.region = access.region;
  chain.region_of_default_profile = true;
  // One of them alone says nothing, as in Prometheus.
  if (!access.access_key.empty() && !access.secret_key.empty()) {
    chain.access_key = access.access_key;
    chain.secret_key = access.secret_key;
  }
  chain.profile = access.profile;
  chain.role_arn = access.role_arn;
  chain.external_id = access.external_id;
  return chain;
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

// One call: waiting for credentials, on its way, or pausing before it is sent again.
class AwsApiClient::Call : private HttpHandler {
 public:
  Call(AwsApiClient& client, CallId id, AwsApiRequest request, Done done)
      : client_(client),
        id_(id),
        request_(std::move(request)),
        body_to_send_(std::make_shared<const std::string>(std::move(request_.body))),
        done_(std::move(done)),
        timer_(client.loop_) {}
  ~Call() override {
    if (sent_ != 0) client_.http_.Cancel(sent_);
  }

  bool waiting() const { return waiting_; }
  Done TakeDone() { return std::move(done_); }

  void Begin() {
    waiting_ = false;
    const Result<const AwsIdentity*> identity = client_.credentials_.Current();
    client_.CountFailures();
    if (!identity) return FinishLater(Kind::kCredentials, identity.error().message);
    if (*identity == nullptr) {
      waiting_ = true;
      return;
    }
    Send(**identity);
  }

 private:
  void Send(const AwsIdentity& identity) {
    client_.region_ = identity.region;
    Result<std::string> url = client_.UrlOf(request_, identity.region);
    if (!url) return FinishLater(Kind::kCredentials, url.error().message);
    HttpRequest request;
    request.method = request_.method;
    request.url = *std::move(url);
    request.headers = request_.headers;
    request.headers.push_back({"User-Agent", "Tributary/" + std::string(Version())});
    if (!body_to_send_->empty()) request.body = body_to_send_;
    request.timeout = kTimeout;
    SignRequest(request, {"Content-Type", "X-Amz-Target", "X-Amz-Content-Sha256"},
                identity.credentials, {identity.region, request_.service, !request_.bucket.empty()},
                client_.clock_.Now());
    access_key_id_ = identity.credentials.access_key_id;
    hidden_ = {identity.credentials.secret_access_key, identity.credentials.session_token};
    status_ = 0;
    skewed_ = too_large_ = false;
    body_.clear();
    client_.counters_.requests++;
    if (std::exchange(sent_before_, true)) client_.counters_.retries++;
    sent_ = client_.http_.Start(std::move(request), this);
  }

  void OnHead(const HttpResponseHead& head) override {
    status_ = head.status;
    error_type_ = head.Header("X-Amzn-ErrorType");
    skewed_ = client_.clock_.Learn(head);
    if (skewed_) client_.counters_.clock_corrections++;
  }
  bool OnBody(std::string_view bytes) override {
    too_large_ = bytes.size() > kBodyBytesMax - body_.size();
    if (!too_large_) body_.append(bytes);
    return !too_large_;
  }
  void OnDone(const HttpOutcome& outcome) override {
    sent_ = 0;
    if (too_large_) {
      return client_.Finish(id_, AwsFail(Kind::kAnswer, "answered with more than 64 MiB"));
    }
    if (outcome.ok() && status_ == 200) return client_.Finish(id_, std::move(body_));
    AwsApiError error =
        outcome.ok() ? ReadAwsError(status_, error_type_, body_) : AwsErrorOf(outcome);
    error.message = HideSecrets(std::move(error.message), hidden_);
    body_ = std::string();
    SendAgain(std::move(error));
  }

  void SendAgain(AwsApiError error) {
    if (error.kind == Kind::kThrottled) client_.counters_.throttled++;
    if (skewed_ && !std::exchange(clock_set_, true)) return Begin();
    if (error.kind == Kind::kExpired || error.kind == Kind::kRefused) {
      client_.credentials_.Refuse(access_key_id_);
    }
    if (error.kind == Kind::kExpired && !std::exchange(renewed_, true)) return Begin();
    if (!IsRetryable(error) || ++attempts_ == kAttemptsMax) {
      return client_.Finish(id_, tl::unexpected(std::move(error)));
    }
    timer_.SetAfter(Pause(), [this] { Begin(); });
  }

  // Agents that were throttled together are not to come back together.
  nanoseconds Pause() const {
    const uint64_t chance =
        StableHash(access_key_id_ + std::to_string(client_.loop_.WallNs()) + std::to_string(id_));
    const nanoseconds limit = seconds(1LL << (attempts_ - 1));
    return nanoseconds(chance % static_cast<uint64_t>(limit.count()));
  }

  // Callers are never called from inside Start.
  void FinishLater(Kind kind, std::string message) {
    timer_.Set(client_.loop_.Now(), [this, kind, message = std::move(message)] {
      client_.Finish(id_, AwsFail(kind, message));
    });
  }

  AwsApiClient& client_;
  const CallId id_;
  AwsApiRequest request_;  // but for its body
  const std::shared_ptr<const std::string> body_to_send_;
  Done done_;
  Timer timer_;
  bool waiting_ = false;
  HttpRequestId sent_ = 0;
  bool sent_before_ = false;
  int attempts_ = 0;  // that failed in a way that may pass
  bool clock_set_ = false;
  bool renewed_ = false;
  std::string access_key_id_;
  std::vector<std::string> hidden_;
  // Of the answer that is arriving.
  int status_ = 0;
  std::string error_type_;
  bool skewed_ = false;
  bool too_large_ = false;
  std::string body_;
};

AwsApiClient::AwsApiClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                           AwsGetenv getenv, const AwsSdAccess& access,
                           std::string endpoint_service, AwsApiCounters& counters)
    : loop_(loop),
      files_(files),
      getenv_(std::move(getenv)),
      access_(access),
      endpoint_service_(std::move(endpoint_service)),
      counters_(counters),
      clock_(loop),
      credentials_(
          loop, transport, files, getenv_, clock_, ChainOf(access),
          [this](const Status&) { OnFetched(); }, &access.http),
      http_(loop, transport, files, access.http),
      region_(access.region) {}

AwsApiClient::~AwsApiClient() { calls_.clear(); }

void AwsApiClient::Start(AwsApiRequest request, Done done) {
  const CallId id = ++last_id_;
  calls_.emplace(id, std::make_unique<Call>(*this, id, std::move(request), std::move(done)))
      .first->second->Begin();
}

// Whether the fetch went well or not: those who wait will see.
void AwsApiClient::OnFetched() {
  std::vector<Call*> waiting;
  for (const auto& [id, call] : calls_) {
    if (call->waiting()) waiting.push_back(call.get());
  }
  for (Call* call : waiting) call->Begin();
}

Result<std::string> AwsApiClient::UrlOf(const AwsApiRequest& request, const std::string& region) {
  Result<std::string> endpoint = EndpointOf(request.service, region);
  if (!endpoint || request.bucket.empty()) return endpoint;
  const Result<std::string> usual = AwsServiceUrl(request.service, region);
  if (usual && *endpoint == *usual + "/" && request.bucket.find('.') == std::string::npos) {
    endpoint->insert(endpoint->find("://") + 3, request.bucket + ".");
    return *endpoint + request.path;
  }
  return *endpoint + request.bucket + "/" + request.path;
}

Result<std::string> AwsApiClient::EndpointOf(const std::string& service,
                                             const std::string& region) {
  std::string& known = urls_[service + " " + region];
  if (!known.empty()) return known;
  std::string url;
  if (service == endpoint_service_) url = access_.endpoint;
  if (url.empty()) {
    const Result<AwsProfile> profile = LoadAwsProfile(access_.profile, getenv_, files_);
    if (!profile) return tl::unexpected(profile.error());
    url = ConfiguredAwsEndpoint(Upper(service), *profile, getenv_);
  }
  if (url.empty()) {
    Result<std::string> usual = AwsServiceUrl(service, region);
    if (!usual) return usual;
    url = *std::move(usual);
  }
  if (!url.ends_with('/')) url += '/';
  known = std::move(url);
  return known;
}

void AwsApiClient::CountFailures() {
  const uint64_t failures = credentials_.failures();
  counters_.credential_failures += failures - std::exchange(failures_seen_, failures);
}

void AwsApiClient::Finish(CallId id, AwsResult<std::string> body) {
  const auto node = calls_.extract(id);
  const Done done = node.mapped()->TakeDone();
  done(std::move(body));
}

}  // namespace tributary
