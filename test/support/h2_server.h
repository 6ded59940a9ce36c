// A scripted server of HTTP/2 over real sockets on 127.0.0.1: spoken from the first byte on, or
// behind TLS by ALPN. For integration tests.
//
// It plays status, headers, chunks and trailers of a ScriptedReply. Connections are served one
// after the other by one thread, on which the script runs. All methods are thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/support/scripted_reply.h"
#include "test/support/test_ca.h"

namespace tributary {

class H2Server {
 public:
  // `certificate`: speaks TLS with it.
  explicit H2Server(ReplyScript script, std::optional<TestCertificate> certificate = std::nullopt);
  ~H2Server();
  H2Server(const H2Server&) = delete;
  H2Server& operator=(const H2Server&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  size_t connections() const { return connections_.load(); }
  std::vector<ServedRequest> Requests() const;

 private:
  class Connection;

  void Accept();

  const ReplyScript script_;
  const std::optional<TestCertificate> certificate_;
  uint16_t port_ = 0;
  int listener_ = -1;  // sets port_
  int stop_event_ = -1;
  std::atomic<size_t> connections_{0};
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::thread thread_;
};

}  // namespace tributary
