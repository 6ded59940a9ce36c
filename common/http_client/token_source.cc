#include "common/http_client/token_source.h"

#include <map>
#include <utility>
#include <vector>

#include "common/http/query.h"
#include "common/http_client/http_client.h"
#include "common/http_client/secrets.h"

namespace tributary {

namespace {

constexpr seconds kFetchMax(30);
constexpr seconds kRenewEarly(10);
constexpr size_t kBodyBytesMax = 1 << 20;

HttpClientConfig ClientConfig(const Oauth2Config& config) {
  HttpClientConfig client;
  client.tls = config.tls;
  client.proxy = config.proxy;
  client.enable_http2 = false;
  return client;
}

}  // namespace

TokenSource::TokenSource(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                         const Oauth2Config& config, Fetched fetched)
    : loop_(loop),
      files_(files),
      config_(config),
      fetched_(std::move(fetched)),
      client_(std::make_unique<HttpClient>(loop, transport, files, ClientConfig(config))) {}

TokenSource::~TokenSource() = default;

Result<std::optional<std::string>> TokenSource::Authorization(std::string_view user_agent) {
  Result<std::string> secret =
      ValueOrFile(files_, config_.client_secret.value, config_.client_secret_file);
  if (!secret) return tl::unexpected(secret.error());
  if (!config_.scopes.empty() && config_.endpoint_params.contains("scope")) {
    return Fail("oauth2: endpoint_params cannot have 'scope' where scopes are given");
  }
  if (secret_ != *secret) {
    client_->Cancel(std::exchange(request_, 0));
    secret_ = *std::move(secret);
    token_.reset();
    style_known_ = secret_in_form_ = false;
  }
  if (token_ && loop_.Now() <= token_ends_) return token_->authorization;
  if (request_ == 0) {
    user_agent_ = user_agent;
    Fetch();
  }
  return std::optional<std::string>();
}

void TokenSource::Fetch() {
  std::map<std::string, std::vector<std::string>> form = {{"grant_type", {"client_credentials"}}};
  std::string scopes;
  for (const std::string& scope : config_.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  if (!scopes.empty()) form["scope"] = {scopes};
  // Those of the configuration come last: a server may want another grant_type.
  for (const auto& [name, value] : config_.endpoint_params) form[name] = {value.value};
  HttpRequest request;
  request.method = "POST";
  request.url = config_.token_url;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                     {"Accept-Encoding", "gzip"}};
  if (!user_agent_.empty()) request.headers.push_back({"User-Agent", user_agent_});
  if (secret_in_form_) {
    form["client_id"] = {config_.client_id};
    if (!secret_->empty()) form["client_secret"] = {*secret_};
  } else {
    request.headers.push_back(
        {"Authorization", BasicCredentials(EscapeQuery(config_.client_id), EscapeQuery(*secret_))});
  }
  request.body = std::make_shared<const std::string>(EncodeQuery(form));
  request.timeout = kFetchMax;
  content_type_.clear();
  body_.clear();
  request_ = client_->Start(std::move(request), this);
}

std::string TokenSource::Token() const {
  if (!token_) return "";
  return token_->authorization.substr(token_->authorization.find(' ') + 1);
}

void TokenSource::OnHead(const HttpResponseHead& head) {
  content_type_ = head.Header("Content-Type");
  gunzip_.reset();
  if (!SameHeaderName(head.Header("Content-Encoding"), "gzip")) return;
  gunzip_ = std::make_unique<Gunzip>();
  gunzip_->Reset();
}

bool TokenSource::OnBody(std::string_view bytes) {
  const auto take = [this](std::string_view inflated) {
    body_.append(inflated);
    return body_.size() <= kBodyBytesMax;
  };
  // What cannot be inflated ends as what is no token response.
  if (gunzip_ != nullptr) return gunzip_->Push(bytes, take).value_or(false);
  return take(bytes);
}

void TokenSource::OnDone(const HttpOutcome& outcome) {
  request_ = 0;
  Result<AccessToken> token = Read(outcome);
  if (!token && !style_known_ && !secret_in_form_) {
    secret_in_form_ = true;
    return Fetch();
  }
  body_.clear();
  gunzip_.reset();
  if (!token) {
    if (!style_known_) secret_in_form_ = false;  // both ways will be tried again
    return fetched_(Fail("oauth2: " + WithoutSecret(token.error().message)));
  }
  style_known_ = true;
  token_ = *std::move(token);
  token_ends_ = MonotonicTime::max();
  if (token_->expires_in) token_ends_ = loop_.Now() + *token_->expires_in - kRenewEarly;
  fetched_(token_->authorization);
}

Result<AccessToken> TokenSource::Read(const HttpOutcome& outcome) const {
  if (!outcome.ok()) return Fail("the token server cannot be asked: " + outcome.message);
  return ReadTokenResponse(outcome.status, content_type_, body_);
}

// A server may repeat what it was sent.
std::string TokenSource::WithoutSecret(std::string message) const {
  std::vector<std::string> hidden = {*secret_, EscapeQuery(*secret_)};
  for (const auto& [name, value] : config_.endpoint_params) hidden.push_back(value.value);
  return HideSecrets(std::move(message), hidden);
}

}  // namespace tributary
