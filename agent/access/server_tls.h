// What the server shows and demands when it speaks TLS: parsed once, shared by the connections that
// use it.
//
// Immutable; any thread. Errors say which part cannot be used and where it came from, never what is
// in it. Sessions are not resumed, so that each connection meets the certificates and rules of now.
// Speaks HTTP/1.1 only, and says so to clients that offer more (ALPN).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/access/channel.h"
#include "agent/access/web_config.h"
#include "common/base/status.h"
#include "common/http/tls.h"

struct ssl_st;

namespace tributary {

class ServerTls : public std::enable_shared_from_this<ServerTls> {
 public:
  // `client_ca`: no text for the system's roots.
  static Result<std::shared_ptr<const ServerTls>> Make(const WebTlsConfig& config,
                                                       const TlsPem& certificate, const TlsPem& key,
                                                       const TlsPem& client_ca);
  ~ServerTls();
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  // Takes the socket over. The handshake is done as it is read from.
  std::unique_ptr<Channel> Accept(int fd) const;

 private:
  struct Context;
  class TlsChannel;
  ServerTls();

  // As the names in its certificate have it.
  bool MayCome(ssl_st* session) const;

  std::unique_ptr<Context> context_;
  std::vector<std::string> allowed_sans_;
};

}  // namespace tributary
