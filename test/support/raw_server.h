// A scripted HTTP server over real sockets on 127.0.0.1, for integration tests.
//
// It plays ScriptedReply byte for byte: pauses, half-closes, resets, bytes that are no HTTP. Each
// connection has a thread. The script runs on those threads, one call at a time; whatever else it
// touches is its own affair. All other methods are thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/support/scripted_reply.h"

namespace tributary {

class RawServer {
 public:
  // On any free port, or on one that the caller knows to be free.
  explicit RawServer(ReplyScript script, uint16_t port = 0);
  // Cuts all connections.
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  uint16_t port() const { return port_; }
  // "http://HOST:PORT", without a path.
  std::string Url(const std::string& host = "127.0.0.1") const;
  // Accepted so far.
  size_t connections() const { return connections_.load(); }
  // All that were read to their end.
  std::vector<ServedRequest> Requests() const;
  // Waits until all connections wait for a request, and closes them in order.
  void CloseIdle();

 private:
  struct Connection {
    int fd = -1;
    bool idle = false;
    bool over = false;
    std::thread thread;
  };

  void Accept();
  void Serve(Connection& connection);
  bool ReadRequest(Connection& connection, std::string* buffer, ServedRequest* request);
  bool ReadMore(int fd, std::string* buffer) const;
  bool Play(int fd, const ServedRequest& request, const ScriptedReply& reply);
  bool SendBody(int fd, const ScriptedReply& reply);
  bool End(int fd, ScriptedReply::End how);
  bool Send(int fd, std::string_view bytes) const;
  // Whether the time passed without the end of the server or of the connection.
  bool Pause(int fd, nanoseconds time) const;
  void SetIdle(Connection& connection, bool idle);

  ReplyScript script_;
  int listener_ = -1;
  int stop_event_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> connections_{0};
  mutable std::mutex mutex_;
  std::mutex script_mutex_;
  std::vector<ServedRequest> requests_;
  std::list<Connection> list_;
  std::thread acceptor_;
};

// An address of 127.0.0.1 where connects get no answer at all while it lives: its queue is full.
class DeafListener {
 public:
  DeafListener();
  ~DeafListener();
  DeafListener(const DeafListener&) = delete;
  DeafListener& operator=(const DeafListener&) = delete;
  std::string Url() const;

 private:
  std::vector<int> fds_;
  uint16_t port_ = 0;
};

// A port of 127.0.0.1 where nobody listens.
uint16_t UnusedPort();

}  // namespace tributary
