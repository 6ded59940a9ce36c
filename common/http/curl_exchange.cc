#include "common/http/curl_exchange.h"

#include <algorithm>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr size_t kHeadBytesMax = 64 << 10;
constexpr long kRedirectsMax = 10;
constexpr long kBufferBytes = 64 << 10;
// Beyond five minutes idle, middleboxes have forgotten a connection; Go's client gives up here too.
constexpr long kIdleSecondsMax = 300;

template <typename T>
void Set(CURL* easy, CURLoption option, T value) {
  // Options are known at compile time and values are plain: what fails here is a mistake, or no
  // memory.
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

long LongInfo(CURL* easy, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool IsHttps(std::string_view url) {
  return url.size() > 5 && (url[4] == 's' || url[4] == 'S');  // of a URL that HostOfUrl accepts
}

}  // namespace

std::string HostOfUrl(const std::string& text) {
  if (text.find('\0') != std::string::npos) return "";
  const std::unique_ptr<CURLU, UrlDeleter> url(curl_url());
  CHECK(url != nullptr);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return "";
  const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return "";
  return PartOf(url.get(), CURLUPART_HOST);
}

bool HeadersAreSendable(const std::vector<HttpHeader>& headers) {
  constexpr std::string_view kBreaks("\r\n\0", 3);
  return std::all_of(headers.begin(), headers.end(), [&](const HttpHeader& header) {
    return !header.name.empty() && header.name.find_first_of(": \t") == std::string::npos &&
           header.name.find_first_of(kBreaks) == std::string::npos &&
           header.value.find_first_of(kBreaks) == std::string::npos;
  });
}

CurlExchange::CurlExchange(HttpRequestId id, HttpRequest request, HttpHandler* handler,
                           EventLoop& loop)
    : id_(id), request_(std::move(request)), handler_(handler), timeout_(loop) {}

CurlExchange::~CurlExchange() {
  CHECK(easy_ == nullptr);
  curl_slist_free_all(header_list_);
}

void CurlExchange::Attach(CURL* easy, std::function<void()> resolved) {
  easy_ = easy;
  resolved_ = std::move(resolved);
  Set(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(easy_, CURLOPT_ERRORBUFFER, error_.data());
  Set(easy_, CURLOPT_URL, request_.url.c_str());
  SetConnectionOptions();
  SetMethodAndBody();
  SetHeaders();
  Set(easy_, CURLOPT_HEADERFUNCTION, &CurlExchange::OnHeaderLine);
  Set(easy_, CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_WRITEFUNCTION, &CurlExchange::OnBodyBytes);
  Set(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_SOCKOPTFUNCTION, &CurlExchange::OnSocket);
  Set(easy_, CURLOPT_SOCKOPTDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_PREREQFUNCTION, &CurlExchange::OnBeforeRequest);
  Set(easy_, CURLOPT_PREREQDATA, static_cast<void*>(this));
}

CURL* CurlExchange::Detach() {
  CURL* const easy = easy_;
  easy_ = nullptr;
  curl_easy_reset(easy);
  return easy;
}

void CurlExchange::SetConnectionOptions() {
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_QUICK_EXIT, 1L);
  Set(easy_, CURLOPT_PATH_AS_IS, 1L);
  Set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  Set(easy_, CURLOPT_PROXY, "");  // not even those of the environment
  Set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy_, CURLOPT_HTTP09_ALLOWED, 0L);
  Set(easy_, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  Set(easy_, CURLOPT_TCP_NODELAY, 1L);
  Set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  // Refused by a handle that still has its buffer, of this size: no matter.
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, kBufferBytes);
  Set(easy_, CURLOPT_MAXAGE_CONN, kIdleSecondsMax);
  Set(easy_, CURLOPT_FOLLOWLOCATION, request_.follow_redirects ? 1L : 0L);
  Set(easy_, CURLOPT_MAXREDIRS, kRedirectsMax);
  // The exchange's own timer ends it; libcurl's default of 300 s for connecting must not come
  // first.
  const auto ms = std::chrono::duration_cast<milliseconds>(request_.timeout) + seconds(60);
  Set(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(ms.count()));
}

void CurlExchange::SetMethodAndBody() {
  const std::string& method = request_.method;
  if (request_.body || method == "POST") {
    // Not copied: request_ keeps it alive, and libcurl sends it again after a redirect.
    Set(easy_, CURLOPT_POST, 1L);
    Set(easy_, CURLOPT_POSTFIELDS, request_.body ? request_.body->data() : "");
    const size_t bytes = request_.body ? request_.body->size() : 0;
    Set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes));
    // Only where needed: a method set this way outlives a redirect that should turn it into GET.
    if (method != "POST") Set(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
  } else if (method == "HEAD") {
    Set(easy_, CURLOPT_NOBODY, 1L);
  } else if (method != "GET") {
    Set(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

void CurlExchange::SetHeaders() {
  HttpResponseHead given;  // for its look-up without case
  const auto add = [this](const std::string& line) {
    curl_slist* const longer = curl_slist_append(header_list_, line.c_str());
    CHECK(longer != nullptr);
    header_list_ = longer;
  };
  for (const HttpHeader& header : request_.headers) {
    // libcurl's way to say an empty value; "Name:" would remove the header.
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
    given.headers.push_back({header.name, "given"});
  }
  for (const char* name : {"Accept", "Expect", "Content-Type"}) {
    if (given.Header(name).empty()) add(std::string(name) + ":");
  }
  Set(easy_, CURLOPT_HTTPHEADER, header_list_);
}

size_t CurlExchange::OnHeaderLine(char* data, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<CurlExchange*>(self);
  return exchange->HeaderLine(std::string_view(data, size * count)) ? size * count : 0;
}

bool CurlExchange::HeaderLine(std::string_view line) {
  if (head_delivered_) return true;  // trailers
  head_bytes_ += line.size();
  if (head_bytes_ > kHeadBytesMax) {
    head_too_large_ = true;
    return false;
  }
  if (!in_head_) {
    head_ = HttpResponseHead{};
    in_head_ = true;
    head_.status = static_cast<int>(LongInfo(easy_, CURLINFO_RESPONSE_CODE));
  } else if (Trim(line).empty()) {
    in_head_ = false;
    EndOfHead();
  } else {
    AddHeader(line);
  }
  return true;
}

void CurlExchange::AddHeader(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {  // folded, RFC 9112 5.2
    if (!head_.headers.empty()) head_.headers.back().value.append(" ").append(Trim(line));
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  head_.headers.push_back(
      {std::string(Trim(line.substr(0, colon))), std::string(Trim(line.substr(colon + 1)))});
}

void CurlExchange::EndOfHead() {
  if (head_.status < 200) return;  // the bytes of interim responses count on: there may be many
  const bool followed = request_.follow_redirects && head_.status >= 300 && head_.status < 400 &&
                        !head_.Header("Location").empty();
  if (followed) {
    head_bytes_ = 0;
    return;
  }
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
  exchange->sending_after_redirect_ = exchange->RedirectsFollowed();
  exchange->bytes_before_sending_ = LongInfo(exchange->easy_, CURLINFO_REQUEST_SIZE);
  return CURL_PREREQFUNC_OK;
}

long CurlExchange::RedirectsFollowed() const { return LongInfo(easy_, CURLINFO_REDIRECT_COUNT); }

// libcurl sends anything again on another connection when the one that it kept from an earlier
// request ends without a byte of response. The server may have acted on it all the same, which only
// the methods of RFC 9110 9.2.1 make harmless; or none of it can have got there.
bool CurlExchange::MayBeSentAgain() const {
  const std::string& method = request_.method;
  const bool safe = method == "GET" || method == "HEAD" || method == "OPTIONS";
  return safe || sending_after_redirect_ != RedirectsFollowed() ||
         LongInfo(easy_, CURLINFO_REQUEST_SIZE) == bytes_before_sending_;
}

HttpOutcome CurlExchange::OutcomeOf(CURLcode code) const {
  HttpOutcome outcome;
  outcome.failure = FailureOf(code);
  if (head_delivered_ || outcome.failure == HttpFailure::kTooManyRedirects) {
    outcome.status = head_.status;
  }
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
    case CURLE_UNSUPPORTED_PROTOCOL:  // also what is no HTTP, and where a redirect leads
      return Passed(CURLINFO_PRETRANSFER_TIME_T) ? HttpFailure::kBadResponse
                                                 : HttpFailure::kInvalidUrl;
    case CURLE_COULDNT_RESOLVE_HOST:
      return HttpFailure::kResolve;
    case CURLE_COULDNT_CONNECT:
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
      return HttpFailure::kClosed;
    case CURLE_RECV_ERROR: {
      // Chunks that make no sense come as this too, but with no error of the socket behind them.
      long reason = 0;
      curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &reason);
      const bool senseless = reason == 0 && !IsHttps(request_.url);
      return senseless ? HttpFailure::kBadResponse : HttpFailure::kClosed;
    }
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_HTTP2:
      return HttpFailure::kBadResponse;
    case CURLE_TOO_MANY_REDIRECTS:
      return HttpFailure::kTooManyRedirects;
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
