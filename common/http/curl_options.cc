// What an exchange sets on libcurl's handle.
#include <curl/curl.h>

#include <algorithm>

#include "common/base/assert.h"
#include "common/http/curl_exchange.h"
#include "common/http/tls.h"

namespace tributary {

namespace {

constexpr long kBufferBytes = 64 << 10;
// Beyond five minutes idle, middleboxes have forgotten a connection; Go's client gives up here too.
constexpr long kIdleSecondsMax = 300;

template <typename T>
void Set(CURL* easy, CURLoption option, T value) {
  // Options are known at compile time and values are plain: what fails here is a mistake, or no
  // memory.
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

long LowestVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kTls10:
      return CURL_SSLVERSION_TLSv1_0;
    case TlsVersion::kTls11:
      return CURL_SSLVERSION_TLSv1_1;
    case TlsVersion::kTls13:
      return CURL_SSLVERSION_TLSv1_3;
    default:
      return CURL_SSLVERSION_TLSv1_2;
  }
}

long HighestVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kTls10:
      return CURL_SSLVERSION_MAX_TLSv1_0;
    case TlsVersion::kTls11:
      return CURL_SSLVERSION_MAX_TLSv1_1;
    case TlsVersion::kTls12:
      return CURL_SSLVERSION_MAX_TLSv1_2;
    case TlsVersion::kTls13:
      return CURL_SSLVERSION_MAX_TLSv1_3;
    default:
      return CURL_SSLVERSION_MAX_DEFAULT;
  }
}

}  // namespace

void CurlList::Add(const std::string& line) {
  curl_slist* const longer = curl_slist_append(list_, line.c_str());
  CHECK(longer != nullptr);
  list_ = longer;
}

void CurlExchange::SetOptions() {
  Set(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(easy_, CURLOPT_ERRORBUFFER, error_.data());
  Set(easy_, CURLOPT_URL, request_.url.c_str());
  SetConnectionOptions();
  SetProxy();
  if (url_.https || HasHttpsProxy()) SetTls();
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

bool CurlExchange::HasHttpsProxy() const {
  return request_.proxy != nullptr && request_.proxy->url.starts_with("https:");
}

void CurlExchange::SetConnectionOptions() {
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_QUICK_EXIT, 1L);
  Set(easy_, CURLOPT_PATH_AS_IS, 1L);
  Set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  SetHttpVersion();
  Set(easy_, CURLOPT_HTTP09_ALLOWED, 0L);
  Set(easy_, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  Set(easy_, CURLOPT_TCP_NODELAY, 1L);
  Set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  // Refused by a handle that still has its buffer, of this size: no matter.
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, kBufferBytes);
  Set(easy_, CURLOPT_MAXAGE_CONN, kIdleSecondsMax);
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  // The exchange's own timer ends it; libcurl's default of 300 s for connecting must not come
  // first.
  const auto ms = std::chrono::duration_cast<milliseconds>(request_.timeout) + seconds(60);
  Set(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(ms.count()));
  const std::string& socket = request_.unix_socket;
  if (socket.starts_with('@')) {
    Set(easy_, CURLOPT_ABSTRACT_UNIX_SOCKET, socket.c_str() + 1);
  } else if (!socket.empty()) {
    Set(easy_, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  }
}

void CurlExchange::SetHttpVersion() {
  long version = CURL_HTTP_VERSION_1_1;
  if (request_.http2_only && !url_.https) {
    version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    // libcurl 7.88 greets a server of HTTP/2 anew on a connection that it has used before (its pull
    // request 10643): each request has one of its own.
    Set(easy_, CURLOPT_FRESH_CONNECT, 1L);
    Set(easy_, CURLOPT_FORBID_REUSE, 1L);
  } else if (request_.http2_only || request_.http2) {
    version = CURL_HTTP_VERSION_2TLS;
  }
  Set(easy_, CURLOPT_HTTP_VERSION, version);
}

// Roots and certificates come onto OpenSSL's context already parsed, in OnTlsContext: libcurl would
// read a bundle of roots again for each connection and keep it as long. The path that it is given
// instead names no directory; it is one of the things by which libcurl tells connections and
// sessions apart.
void CurlExchange::SetTls() {
  const HttpTls& tls = request_.tls ? *request_.tls : HttpTls::Default();
  const std::string identity = "/dev/null/" + tls.id();
  const long versions = LowestVersion(tls.version_min()) | HighestVersion(tls.version_max());
  const long verify = tls.verify() ? 1 : 0;
  const char* const none = nullptr;
  Set(easy_, CURLOPT_CAINFO, none);
  Set(easy_, CURLOPT_CAPATH, identity.c_str());
  Set(easy_, CURLOPT_SSLVERSION, versions);
  Set(easy_, CURLOPT_SSL_VERIFYPEER, verify);
  Set(easy_, CURLOPT_SSL_VERIFYHOST, 2 * verify);
  Set(easy_, CURLOPT_SSL_CTX_FUNCTION, &CurlExchange::OnTlsContext);
  Set(easy_, CURLOPT_SSL_CTX_DATA, static_cast<void*>(this));
  if (HasHttpsProxy()) {
    Set(easy_, CURLOPT_PROXY_CAINFO, none);
    Set(easy_, CURLOPT_PROXY_CAPATH, identity.c_str());
    Set(easy_, CURLOPT_PROXY_SSLVERSION, versions);
    Set(easy_, CURLOPT_PROXY_SSL_VERIFYPEER, verify);
    Set(easy_, CURLOPT_PROXY_SSL_VERIFYHOST, 2 * verify);
  }
  if (url_.https && !tls.server_name().empty()) SetServerName(tls.server_name());
}

// libcurl asks for, and verifies, the name in the URL: so the URL has this one, and where it leads
// and what Host says are what they were.
void CurlExchange::SetServerName(const std::string& name) {
  Set(easy_, CURLOPT_URL, WithHost(request_.url, name).c_str());
  connect_to_.Add("::" + url_.BracketedHost() + ":" + std::to_string(url_.port));
  Set(easy_, CURLOPT_CONNECT_TO, connect_to_.get());
  if (FindHeader(request_.headers, "Host").empty()) headers_.Add("Host: " + url_.authority);
}

void CurlExchange::SetProxy() {
  const bool used = request_.proxy != nullptr && request_.unix_socket.empty();
  Set(easy_, CURLOPT_PROXY, used ? request_.proxy->url.c_str() : "");  // "": nor the environment's
  if (!used) return;
  Set(easy_, CURLOPT_NOPROXY, "");  // the environment's is not for us
  Set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  proxy_headers_.Add("Proxy-Connection:");  // an invention of libcurl's
  if (url_.https) {
    for (const HttpHeader& header : request_.proxy->connect_headers) {
      proxy_headers_.Add(header.value.empty() ? header.name + ";"
                                              : header.name + ": " + header.value);
    }
  }
  Set(easy_, CURLOPT_PROXYHEADER, proxy_headers_.get());
}

void CurlExchange::SetMethodAndBody() {
  const std::string& method = request_.method;
  if (request_.body || method == "POST") {
    // Not copied: request_ keeps it alive.
    Set(easy_, CURLOPT_POST, 1L);
    Set(easy_, CURLOPT_POSTFIELDS, request_.body ? request_.body->data() : "");
    const size_t bytes = request_.body ? request_.body->size() : 0;
    Set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes));
    if (method != "POST") Set(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
  } else if (method == "HEAD") {
    Set(easy_, CURLOPT_NOBODY, 1L);
  } else if (method != "GET") {
    Set(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

void CurlExchange::SetHeaders() {
  for (const HttpHeader& header : request_.headers) {
    // libcurl's way to say an empty value; "Name:" would remove the header.
    headers_.Add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  const auto given = [this](std::string_view name) {
    return std::any_of(request_.headers.begin(), request_.headers.end(),
                       [&](const HttpHeader& header) { return SameHeaderName(header.name, name); });
  };
  for (const char* name : {"Accept", "Expect", "Content-Type"}) {
    if (!given(name)) headers_.Add(std::string(name) + ":");
  }
  Set(easy_, CURLOPT_HTTPHEADER, headers_.get());
}

}  // namespace tributary
