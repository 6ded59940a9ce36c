// HTTP/1.1 over plain TCP to addresses: what most scrapes are. The way of each page and each
// request of a remote on the same node, so it is our own: libcurl took a quarter of the agent's
// time for it (docs/architecture.md). It speaks no TLS, no proxies, no Unix sockets and looks no
// names up: SystemTransport gives those to libcurl.
//
// Keep-alive connections are shared by all requests to an address; one request at a time on each.
// An idle connection that the server closes is closed at once. A request that meets the close of a
// kept connection is sent again, on a fresh one, if nothing of it is out or it is a GET, HEAD or
// OPTIONS; it ends as kClosed otherwise.
//
// Memory: 64 KiB to receive into, in all, and what a request is sent from.
#pragma once

#include <memory>

#include "common/event/system_event_loop.h"
#include "common/http/transport.h"

namespace tributary {

class TcpTransport {
 public:
  // The loop must outlive the transport. At most so many idle connections are kept open.
  TcpTransport(SystemEventLoop& loop, size_t connections_max);
  // On the loop's thread (or after Run has returned), and not from a handler.
  ~TcpTransport();

  // As HttpTransport's. 0: the request is not one that this transport speaks.
  HttpRequestId Start(const HttpRequest& request, HttpHandler* handler);
  void Cancel(HttpRequestId id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
