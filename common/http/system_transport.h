// HttpTransport over sockets, as the programs use it: TcpTransport where it can, CurlTransport for
// all else. libcurl is not set up before something asks for it: an agent that needs none of it does
// not pay for its and OpenSSL's memory.
#pragma once

#include <optional>

#include "common/http/curl_transport.h"
#include "common/http/tcp_transport.h"

namespace tributary {

class SystemTransport : public HttpTransport {
 public:
  // The loop must outlive the transport. Destroy on the loop's thread (or after Run has returned),
  // and not from a handler.
  SystemTransport(SystemEventLoop& loop, CurlTransportOptions options)
      : loop_(loop), options_(options), tcp_(loop, options.connections_max) {}

  HttpRequestId Start(const HttpRequest& request, HttpHandler* handler) override;
  void Cancel(HttpRequestId id) override;

 private:
  SystemEventLoop& loop_;
  const CurlTransportOptions options_;
  TcpTransport tcp_;
  std::optional<CurlTransport> curl_;
};

}  // namespace tributary
