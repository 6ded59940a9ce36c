#include "common/http/curl_exchange.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/http/response_reader.h"
#include "common/http/tls.h"

namespace tributary {

namespace {

constexpr size_t kHeadBytesMax = 64 << 10;
long LongInfo(CURL* easy, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

}  // namespace

CurlExchange::CurlExchange(HttpRequestId id, HttpRequest request, HttpUrl url, HttpHandler* handler,
                           EventLoop& loop)
    : id_(id),
      request_(std::move(request)),
      url_(std::move(url)),
      handler_(handler),
      timeout_(loop) {}

CurlExchange::~CurlExchange() { CHECK(easy_ == nullptr); }

void CurlExchange::Attach(CURL* easy, std::function<void()> resolved) {
  easy_ = easy;
  resolved_ = std::move(resolved);
  SetOptions();
}

CURL* CurlExchange::Detach() {
  CURL* const easy = easy_;
  easy_ = nullptr;
  curl_easy_reset(easy);
  return easy;
}

size_t CurlExchange::OnHeaderLine(char* data, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<CurlExchange*>(self);
  return exchange->HeaderLine(std::string_view(data, size * count)) ? size * count : 0;
}

bool CurlExchange::HeaderLine(std::string_view line) {
  head_bytes_ += line.size();
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (head_bytes_ > kHeadBytesMax) {
    head_too_large_ = true;
    return false;
  }
  if (head_delivered_) {
    AddHeaderLine(line, trailers_);
  } else if (!in_head_) {
    head_ = HttpResponseHead{};
    in_head_ = true;
    head_.status = static_cast<int>(LongInfo(easy_, CURLINFO_RESPONSE_CODE));
  } else if (line.empty()) {
    in_head_ = false;
    EndOfHead();
  } else {
    AddHeaderLine(line, head_.headers);
  }
  return true;
}

void CurlExchange::EndOfHead() {
  if (head_.status < 200) return;  // the bytes of interim responses count on: there may be many
  head_delivered_ = true;
  handler_->OnHead(head_);
}

size_t CurlExchange::OnBodyBytes(char* data, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<CurlExchange*>(self);
  if (!exchange->head_delivered_) return CURL_WRITEFUNC_ERROR;
  if (exchange->handler_->OnBody(std::string_view(data, size * count))) return size * count;
  exchange->aborted_ = true;
  return CURL_WRITEFUNC_ERROR;
}

// A new connection begins to speak TLS, with the server or with the proxy.
CURLcode CurlExchange::OnTlsContext(CURL*, void* context, void* self) {
  const auto* const exchange = static_cast<const CurlExchange*>(self);
  const HttpTls& tls = exchange->request_.tls ? *exchange->request_.tls : HttpTls::Default();
  std::string name = tls.server_name().empty() ? exchange->url_.host : tls.server_name();
  // Which of the two it is about is not told; libcurl checks the name in any case.
  if (exchange->HasHttpsProxy()) name.clear();
  return tls.Apply(static_cast<ssl_ctx_st*>(context), name) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

// On its way to a new connection.
int CurlExchange::OnSocket(void* self, curl_socket_t, curlsocktype) {
  auto* const exchange = static_cast<CurlExchange*>(self);
  exchange->resolved_();
  return exchange->MayBeSentAgain() ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

// About to send, on a new connection or on one that was used before.
int CurlExchange::OnBeforeRequest(void* self, char*, char*, int, int) {
  auto* const exchange = static_cast<CurlExchange*>(self);
  exchange->resolved_();
  if (!exchange->MayBeSentAgain()) return CURL_PREREQFUNC_ABORT;
  exchange->sending_ = true;
  exchange->bytes_before_sending_ = LongInfo(exchange->easy_, CURLINFO_REQUEST_SIZE);
  return CURL_PREREQFUNC_OK;
}

// libcurl sends anything again on another connection when the one that it kept from an earlier
// request ends without a byte of response. The server may have acted on it all the same, which only
// the methods of RFC 9110 9.2.1 make harmless; or none of it can have got there.
bool CurlExchange::MayBeSentAgain() const {
  const std::string& method = request_.method;
  const bool safe = method == "GET" || method == "HEAD" || method == "OPTIONS";
  return safe || !sending_ || LongInfo(easy_, CURLINFO_REQUEST_SIZE) == bytes_before_sending_;
}

HttpOutcome CurlExchange::OutcomeOf(CURLcode code) const {
  HttpOutcome outcome;
  outcome.failure = FailureOf(code);
  if (head_delivered_) outcome.status = head_.status;
  switch (outcome.failure) {
    case HttpFailure::kNone:
      break;
    case HttpFailure::kInvalidUrl:  // libcurl may quote the URL
      outcome.message = "not a valid http or https URL";
      break;
    case HttpFailure::kAborted:
      outcome.message = "the body was refused";
      break;
    default:
      outcome.message = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
      if (head_too_large_) outcome.message = "response header over 64 KiB";
      if (code == CURLE_OK) outcome.message = "no final response";
      if (IsRefusedResend(code)) outcome.message = "the connection was closed before the response";
  }
  return outcome;
}

HttpOutcome CurlExchange::TimedOut() const {
  HttpOutcome outcome;
  outcome.failure = HttpFailure::kTimeout;
  if (head_delivered_) outcome.status = head_.status;
  const char* stage = "reading the body";
  if (easy_ == nullptr) {
    stage = "waiting for a place to look the name up";
  } else if (!Passed(CURLINFO_NAMELOOKUP_TIME_T)) {
    stage = "looking the name up";
  } else if (!Passed(CURLINFO_PRETRANSFER_TIME_T)) {
    stage = "connecting";
  } else if (!head_delivered_) {
    stage = "waiting for the response";
  }
  const auto ms = std::chrono::duration_cast<milliseconds>(request_.timeout).count();
  outcome.message = "timed out after " + std::to_string(ms) + " ms while " + stage;
  return outcome;
}

// Whether the code is of the second connection, which the request must not take.
bool CurlExchange::IsRefusedResend(CURLcode code) const {
  return !MayBeSentAgain() &&
         (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_COULDNT_RESOLVE_HOST ||
          code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT);
}

HttpFailure CurlExchange::FailureOf(CURLcode code) const {
  if (IsRefusedResend(code)) return HttpFailure::kClosed;
  switch (code) {
    case CURLE_OK:
      return head_delivered_ ? HttpFailure::kNone : HttpFailure::kBadResponse;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:  // also what is no HTTP
      return Passed(CURLINFO_PRETRANSFER_TIME_T) ? HttpFailure::kBadResponse
                                                 : HttpFailure::kInvalidUrl;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return HttpFailure::kResolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_INTERFACE_FAILED:
    case CURLE_OPERATION_TIMEDOUT:  // the kernel's: the exchange's timeout is not libcurl's
      return HttpFailure::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
      return HttpFailure::kTls;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2_STREAM:
      return HttpFailure::kClosed;
    case CURLE_RECV_ERROR: {
      if (LongInfo(easy_, CURLINFO_HTTP_CONNECTCODE) >= 300) return HttpFailure::kConnect;
      // Chunks that make no sense come as this too, but with no error of the socket behind them.
      long reason = 0;
      curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &reason);
      const bool senseless = reason == 0 && !url_.https;
      return senseless ? HttpFailure::kBadResponse : HttpFailure::kClosed;
    }
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_HTTP2:
      return HttpFailure::kBadResponse;
    case CURLE_WRITE_ERROR:
      if (aborted_) return HttpFailure::kAborted;
      return HttpFailure::kBadResponse;
    default:
      return HttpFailure::kOther;
  }
}

bool CurlExchange::Passed(CURLINFO time) const {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy_, time, &microseconds);
  return microseconds > 0;
}

}  // namespace tributary
