// A transport and scripted servers, over real sockets of 127.0.0.1.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/event/system_event_loop.h"
#include "common/http/system_transport.h"
#include "test/support/raw_server.h"
#include "test/support/transport_contract.h"

namespace tributary {

// Runs the loop until `done` holds, which is asked once a millisecond; whether it does in the end.
bool RunLoop(SystemEventLoop& loop, const std::function<bool()>& done, nanoseconds limit);

template <typename Transport>
class SocketWorld : public TransportWorld {
 public:
  EventLoop& loop() override { return loop_; }
  HttpTransport& transport() override { return *transport_; }
  size_t Serve(ReplyScript script) override {
    servers_.emplace_back(std::move(script));
    return servers_.size() - 1;
  }
  std::string UrlAt(size_t server, const std::string& host) override {
    return servers_[server].Url(host);
  }
  std::vector<ServedRequest> Requests(size_t server) override {
    return servers_[server].Requests();
  }
  std::string RefusingUrl() override { return "http://127.0.0.1:" + std::to_string(UnusedPort()); }
  std::string DeafUrl() override { return deaf_.emplace().Url(); }
  bool Run(const std::function<bool()>& done, nanoseconds limit) override {
    return RunLoop(loop_, done, limit);
  }
  RawServer& server(size_t number) { return servers_[number]; }
  SystemEventLoop& system_loop() { return loop_; }
  void EndTransport() { transport_.reset(); }

 private:
  SystemEventLoop loop_;
  std::optional<DeafListener> deaf_;
  std::deque<RawServer> servers_;
  std::optional<Transport> transport_{std::in_place, loop_, CurlTransportOptions{}};
};
using CurlWorld = SocketWorld<CurlTransport>;
using SystemWorld = SocketWorld<SystemTransport>;

}  // namespace tributary
