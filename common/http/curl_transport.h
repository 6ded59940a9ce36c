// HttpTransport over libcurl's multi interface, driven by SystemEventLoop
// (curl_multi_socket_action).
//
// HTTP/1.1, and HTTP/2 where a request permits it and the server chooses it, or where a request
// demands it. A connection has one request at a time in either. Keep-alive connections are shared
// by all requests of the transport, but those of HTTP/2 without TLS, which serve one request. A
// request that finds its idle connection closed by the server takes a fresh one; one that is sent
// and then meets the close is sent again if it is a GET, HEAD or OPTIONS, and ends as kClosed
// otherwise. Easy handles are pooled per request in flight. CURLOPT_QUICK_EXIT keeps a timed-out
// name look-up from blocking the loop.
//
// libcurl looks names up in a thread each. A request to a name that was not resolved lately waits
// while `lookups_max` others do so, or an eighth of them for its own name, so that one dead name
// with many targets does not hold up the rest. A look-up whose request
// has timed out gives its place back though its thread ends only when the resolver gives up.
#pragma once

#include <memory>

#include "common/event/system_event_loop.h"
#include "common/http/transport.h"

namespace tributary {

struct CurlTransportOptions {
  // Idle connections kept open; the number of targets and remotes is a good value.
  size_t connections_max = 256;
  // Look-ups of names at a time; further requests to names not resolved yet wait, within their
  // timeout.
  size_t lookups_max = 32;
  // No variable of the environment is honoured, ever, but those that name the system's roots
  // (SSL_CERT_FILE, SSL_CERT_DIR).
};

class CurlTransport : public HttpTransport {
 public:
  // The loop must outlive the transport. Destroy on the loop's thread (or after Run has returned),
  // and not from a handler.
  CurlTransport(SystemEventLoop& loop, CurlTransportOptions options);
  ~CurlTransport() override;

  HttpRequestId Start(const HttpRequest& request, HttpHandler* handler) override;
  void Cancel(HttpRequestId id) override;
  void SetConnectionsMax(size_t connections_max);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
