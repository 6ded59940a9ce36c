// HTTP client exchanges on an event loop. The seam between the agent and the network.
//
// In production it is SystemTransport; in tests the simulator's network. One contract suite
// (test/support/transport_contract.h) runs against both.
//
// Threading: everything on the loop's thread. Ownership: the transport copies what it needs of the
// request; the handler must live until OnDone has run or Cancel was called.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace tributary {

struct HttpHeader {
  std::string name;
  std::string value;
};

bool SameHeaderName(std::string_view a, std::string_view b);  // without case
// "" when absent; the first of several.
std::string_view FindHeader(const std::vector<HttpHeader>& headers, std::string_view name);

class HttpTls;  // common/http/tls.h

struct HttpProxy {
  std::string url;  // http, https or socks5h, with host and port; its userinfo is for the proxy
  std::vector<HttpHeader> connect_headers;  // sent with CONNECT only
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // absolute, http or https; its path and query are sent as they are
  // Sent as given, in addition to Host and, with a body, Content-Length. Nothing else is added.
  std::vector<HttpHeader> headers;
  // Null: no body. Shared, so that a retry does not copy it.
  std::shared_ptr<const std::string> body;
  // Of the whole exchange: name look-up to the last byte of the response.
  nanoseconds timeout = seconds(30);
  // Of an https server, and of an https proxy. Null: HttpTls::Default(). Connections are shared by
  // requests with equal settings only.
  std::shared_ptr<const HttpTls> tls;
  // Null: none, whatever the environment says.
  std::shared_ptr<const HttpProxy> proxy;
  // Not empty: the path of the Unix socket where the server is, whatever the URL's host ("@" in
  // front: an abstract one). There is no proxy then.
  std::string unix_socket;
  // Offers HTTP/2 to https servers.
  bool http2 = false;
  // Speaks HTTP/2 to http servers from the first byte on, without having asked whether they do
  // (RFC 9113, 3.3: prior knowledge). To https servers it is offered.
  bool http2_only = false;
};

enum class HttpFailure : uint8_t {
  kNone,        // a complete response arrived, whatever its status
  kInvalidUrl,  // not sent
  kResolve,     // the name could not be resolved
  kConnect,     // refused, unreachable
  kTls,         // handshake or certificate
  kTimeout,     // `timeout` passed, at whatever stage
  // The peer closed or reset the connection before the end. It may have acted on the request all
  // the same: no transport sends one again by itself once a byte of it is out, except GET, HEAD and
  // OPTIONS.
  kClosed,
  kBadResponse,       // not HTTP, header and trailers over 64 KiB, broken chunked encoding
  kTooManyRedirects,  // HttpClient
  kAborted,           // the handler refused the body
  kOther,
  // Not sent: what the client's configuration names cannot be used (HttpClient): a file, a token, a
  // proxy.
  kCredentials,
};

struct HttpOutcome {
  HttpFailure failure = HttpFailure::kNone;
  int status = 0;       // of the response; 0 when none arrived
  std::string message;  // for people, when failure != kNone; without secrets and userinfo
  bool ok() const { return failure == HttpFailure::kNone; }
};

struct HttpResponseHead {
  int status = 0;
  std::vector<HttpHeader> headers;  // names as received
  // As FindHeader.
  std::string_view Header(std::string_view name) const;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // The response's status and headers (not those of 1xx, of a proxy, nor of redirects that
  // HttpClient follows).
  virtual void OnHead(const HttpResponseHead& head) = 0;
  // Body bytes as they arrive, valid during the call, as sent (Content-Encoding untouched; chunked
  // encoding undone). Returning false ends the exchange with kAborted.
  virtual bool OnBody(std::string_view bytes) = 0;
  // The fields behind the body, if there are any: before OnDone, at most once.
  virtual void OnTrailers(const std::vector<HttpHeader>& trailers) { static_cast<void>(trailers); }
  // Exactly once unless cancelled, last. The handler may be destroyed and new requests started in
  // it.
  virtual void OnDone(const HttpOutcome& outcome) = 0;
};

// 0 is never a request.
using HttpRequestId = uint64_t;

// A redirect is a response like any other: it is HttpClient that follows it.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // Never calls the handler from inside Start.
  virtual HttpRequestId Start(const HttpRequest& request, HttpHandler* handler) = 0;
  // The handler hears nothing more. No effect on 0 and on a finished request. Not from
  // OnBody/OnHead.
  virtual void Cancel(HttpRequestId id) = 0;
};

}  // namespace tributary
