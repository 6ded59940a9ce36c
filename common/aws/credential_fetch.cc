#include "common/aws/credential_fetch.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/aws/sigv4.h"
#include "common/http/query.h"
#include "common/http_client/secrets.h"

namespace tributary {

namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
constexpr seconds kInstanceTimeout(1);
constexpr seconds kContainerTimeout(5);
constexpr seconds kStsTimeout(30);
constexpr char kTokenSeconds[] = "300";  // of one fetch
constexpr char kKeysPath[] = "/latest/meta-data/iam/security-credentials/";
constexpr char kFormType[] = "application/x-www-form-urlencoded";

using Form = std::map<std::string, std::vector<std::string>>;

HttpClientConfig DirectConfig() {
  HttpClientConfig config;
  config.follow_redirects = false;
  config.enable_http2 = false;
  return config;
}

HttpClientConfig StsConfig(const AwsGetenv& getenv, const HttpClientConfig* given) {
  HttpClientConfig config = DirectConfig();
  if (given != nullptr) {
    config.proxy = given->proxy;
    config.tls = given->tls;
  } else {
    config.proxy.proxy_from_environment = true;
  }
  if (config.tls.ca.empty() && config.tls.ca_file.empty()) {
    config.tls.ca_file = AwsVariable(getenv, "AWS_CA_BUNDLE");
  }
  return config;
}

std::string FirstLine(const std::string& body) {
  std::string line = body.substr(0, body.find('\n'));
  while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.pop_back();
  return line;
}

std::string SessionName(const AwsRole& role, TimestampMs now) {
  return role.session_name.empty() ? "tributary-" + std::to_string(now) : role.session_name;
}

Form RoleForm(const AwsRole& role, TimestampMs now) {
  Form form = {{"Action", {"AssumeRole"}},
               {"Version", {"2011-06-15"}},
               {"RoleArn", {role.arn}},
               {"RoleSessionName", {SessionName(role, now)}},
               {"DurationSeconds", {std::to_string(role.duration.count())}}};
  if (!role.external_id.empty()) form["ExternalId"] = {role.external_id};
  size_t member = 0;
  for (const auto& [key, value] : role.tags) {
    const std::string tag = "Tags.member." + std::to_string(++member);
    form[tag + ".Key"] = {key};
    form[tag + ".Value"] = {value};
  }
  return form;
}

}  // namespace

CredentialFetch::CredentialFetch(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                                 const AwsGetenv& getenv, AwsClock& clock,
                                 const HttpClientConfig* sts)
    : loop_(loop),
      files_(files),
      clock_(clock),
      direct_(loop, transport, files, DirectConfig()),
      sts_(loop, transport, files, StsConfig(getenv, sts)),
      later_(loop) {}

CredentialFetch::~CredentialFetch() = default;

void CredentialFetch::Start(CredentialPlan plan, Done done) {
  plan_ = std::move(plan);
  done_ = std::move(done);
  next_role_ = 0;
  asked_again_ = false;
  hidden_.clear();
  identity_ = {{}, plan_.region};
  if (!plan_.asks_instance()) return AskBase();
  HttpRequest request;
  request.method = "PUT";
  request.url = plan_.instance_endpoint + "/latest/api/token";
  request.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", kTokenSeconds}};
  request.timeout = kInstanceTimeout;
  Send(Step::kInstanceToken, direct_, std::move(request));
}

void CredentialFetch::AskInstance(Step step, const std::string& path) {
  HttpRequest request;
  request.url = plan_.instance_endpoint + path;
  request.headers = {{"X-aws-ec2-metadata-token", instance_token_}};
  request.timeout = kInstanceTimeout;
  Send(step, direct_, std::move(request));
}

// With a token of the instance's metadata service, or a line that it has answered.
void CredentialFetch::AfterInstance() {
  const std::string line = FirstLine(body_);
  if (line.empty() || !IsHeaderValue(line)) return GiveError("answered 200 with nothing of use");
  switch (step_) {
    case Step::kInstanceToken:
      instance_token_ = line;
      hidden_.push_back(line);
      if (identity_.region.empty()) {
        return AskInstance(Step::kInstanceRegion, "/latest/meta-data/placement/region");
      }
      return AskInstance(Step::kInstanceRole, kKeysPath);
    case Step::kInstanceRegion:
      identity_.region = line;
      return AskBase();
    default:
      return AskInstance(Step::kInstanceKeys, kKeysPath + EscapeBytes(line, ""));
  }
}

void CredentialFetch::AskBase() {
  switch (plan_.base) {
    case CredentialPlan::Base::kKeys:
      identity_.credentials = plan_.keys;
      return AskNextRole();
    case CredentialPlan::Base::kWebIdentity:
      return AskWebIdentity();
    case CredentialPlan::Base::kContainer:
      return AskContainer();
    case CredentialPlan::Base::kInstance:
      return AskInstance(Step::kInstanceRole, kKeysPath);
  }
}

void CredentialFetch::AskContainer() {
  HttpRequest request;
  request.url = plan_.container_url;
  request.headers = {{"Accept", "application/json"}};
  request.timeout = kContainerTimeout;
  const Result<std::string> token =
      ValueOrFile(files_, plan_.container_token, plan_.container_token_file);
  if (!token) return Give(tl::unexpected(token.error()));
  if (!IsHeaderValue(*token)) {
    return Give(Fail("the container's authorization token cannot be sent in a header"));
  }
  if (!token->empty()) {
    request.headers.push_back({"Authorization", *token});
    hidden_.push_back(*token);
  }
  Send(Step::kContainer, direct_, std::move(request));
}

void CredentialFetch::AskWebIdentity() {
  const Result<std::string> token = ReadSecret(files_, plan_.token_file);
  if (!token) return Give(tl::unexpected(token.error()));
  hidden_.push_back(*token);
  const Form form = {{"Action", {"AssumeRoleWithWebIdentity"}},
                     {"Version", {"2011-06-15"}},
                     {"RoleArn", {plan_.web_role.arn}},
                     {"RoleSessionName", {SessionName(plan_.web_role, clock_.Now())}},
                     {"WebIdentityToken", {*token}}};
  AskSts(Step::kWebIdentity, EncodeQuery(form), false);
}

void CredentialFetch::AskNextRole() {
  if (next_role_ == plan_.roles.size()) return Give(identity_);
  hidden_.push_back(identity_.credentials.secret_access_key);
  hidden_.push_back(identity_.credentials.session_token);
  AskSts(Step::kRole, EncodeQuery(RoleForm(plan_.roles[next_role_], clock_.Now())), true);
}

void CredentialFetch::AskSts(Step step, const std::string& form, bool sign) {
  Result<std::string> url = plan_.sts_endpoint.empty() ? StsUrl(identity_.region, plan_.fips)
                                                       : Result<std::string>(plan_.sts_endpoint);
  if (!url) return Give(tl::unexpected(url.error()));
  HttpRequest request;
  request.method = "POST";
  request.url = *url;
  if (std::count(url->begin(), url->end(), '/') < 3) request.url += "/";
  request.headers = {{"Content-Type", kFormType}};
  request.body = std::make_shared<const std::string>(form);
  request.timeout = kStsTimeout;
  if (sign) {
    SignRequest(request, {"Content-Type"}, identity_.credentials, {identity_.region, "sts"},
                clock_.Now());
  }
  Send(step, sts_, std::move(request));
}

void CredentialFetch::Send(Step step, HttpClient& client, HttpRequest request) {
  step_ = step;
  skewed_ = false;
  body_.clear();
  switch (step) {
    case Step::kContainer:
      asked_ = "the container's credential service";
      break;
    case Step::kWebIdentity:
      asked_ = "STS (AssumeRoleWithWebIdentity)";
      break;
    case Step::kRole:
      asked_ = "STS (AssumeRole)";
      break;
    default:
      asked_ = "the instance's metadata service";
  }
  client.Start(std::move(request), this);
}

void CredentialFetch::OnHead(const HttpResponseHead& head) { skewed_ = clock_.Learn(head); }

bool CredentialFetch::OnBody(std::string_view bytes) {
  body_.append(bytes);
  return body_.size() <= kBodyBytesMax;
}

void CredentialFetch::OnDone(const HttpOutcome& outcome) {
  if (!outcome.ok()) return GiveError("cannot be asked: " + outcome.message);
  switch (step_) {
    case Step::kInstanceToken:
    case Step::kInstanceRegion:
    case Step::kInstanceRole:
      if (outcome.status != 200) return GiveError("answered " + std::to_string(outcome.status));
      return AfterInstance();
    case Step::kInstanceKeys:
    case Step::kContainer:
      return Take(ReadMetadataCredentials(outcome.status, body_));
    case Step::kWebIdentity:
      return Take(ReadStsCredentials(outcome.status, body_));
    case Step::kRole:
      if (skewed_ && !std::exchange(asked_again_, true)) return AskNextRole();
      Result<AwsCredentials> credentials = ReadStsCredentials(outcome.status, body_);
      if (credentials) next_role_++;
      return Take(std::move(credentials));
  }
}

void CredentialFetch::Take(Result<AwsCredentials> credentials) {
  if (!credentials) return GiveError(credentials.error().message);
  if (credentials->expires && *credentials->expires <= clock_.Now()) {
    return GiveError("gave keys that have expired");
  }
  identity_.credentials = *std::move(credentials);
  AskNextRole();
}

void CredentialFetch::GiveError(std::string message) {
  Give(Fail(HideSecrets(asked_ + " " + std::move(message), hidden_)));
}

// Later, as for some plans nobody has been asked.
void CredentialFetch::Give(Result<AwsIdentity> identity) {
  body_.clear();
  instance_token_.clear();
  later_.Set(loop_.Now(), [this, identity = std::move(identity)] {
    const Done done = std::exchange(done_, nullptr);
    done(identity);
  });
}

}  // namespace tributary
