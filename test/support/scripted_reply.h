// What a scripted HTTP server was asked, and what it shall do. Played by the simulated network
// (test/support/sim/sim_network.h) and, byte for byte over sockets, by test/support/raw_server.h.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/http/transport.h"

namespace tributary {

struct ServedRequest {
  std::string method;
  std::string target;  // path and query
  std::vector<HttpHeader> headers;
  std::string body;
  bool http2 = false;  // spoken to an http server from the first byte on
  MonotonicTime time{};                             // of arrival; virtual in the simulator
  std::string Header(std::string_view name) const;  // "" when absent
};

struct ScriptedReply {
  int status = 200;
  std::vector<HttpHeader> headers;
  // The body, in the pieces in which it is sent. Several pieces go out chunked, one with its
  // length.
  std::vector<std::string> chunks;
  // Behind the body, which is chunked then.
  std::vector<HttpHeader> trailers;
  nanoseconds before_head{};   // from the request's arrival to the head
  nanoseconds before_chunk{};  // before each chunk
  // Simulator only: asked for another chunk after those, until it gives none; "" is one to wait for.
  std::function<std::optional<std::string>()> more;
  enum class End {
    kComplete,  // all is sent
    kClose,     // the connection is closed in order, short of the end
    kReset,     // the connection is reset
    kHang,      // nothing more is sent
  };
  End end = End::kComplete;
  // With any other end: where it strikes. Before the head, or after so many bytes of the body.
  bool head_sent = false;
  size_t body_bytes = 0;
  // An orderly close after a complete reply that said nothing of it (sockets only).
  bool close_after = false;
  // Sent instead of head and chunks. The simulator, which has no bytes, takes it for no HTTP.
  std::string raw;

  static ScriptedReply Text(int status, std::string body, std::vector<HttpHeader> headers = {}) {
    ScriptedReply reply;
    reply.status = status;
    reply.headers = std::move(headers);
    if (!body.empty()) reply.chunks.push_back(std::move(body));
    return reply;
  }
  static ScriptedReply Broken(End end) {
    ScriptedReply reply;
    reply.end = end;
    return reply;
  }
  // Ends after `bytes` of the body instead of completing.
  ScriptedReply& Cut(End how, size_t bytes) {
    end = how;
    head_sent = true;
    body_bytes = bytes;
    return *this;
  }
};

using ReplyScript = std::function<ScriptedReply(const ServedRequest&)>;

}  // namespace tributary
