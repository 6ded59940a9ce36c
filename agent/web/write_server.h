// Serves the connections on which others send remote write, on the loop of a worker: a thousand
// senders that keep their connections cost a descriptor and a few hundred bytes each, and no
// thread. The reception has let them in and hands them over; a request for something else, or by
// somebody whom it has to look at anew, goes back there.
//
// Requests of a connection are served one after the other; while one is being answered nothing more
// is read of it. Bodies take memory as they arrive. Bounds: head_bytes_max; body_bytes_max, which
// is asked before a byte of the body is taken; of all bodies that are under way together
// pending_bytes_max, beyond that senders wait (nothing is read of them); connections_max, beyond
// that the longest idle one is closed; and the times below.
//
// Everything on the loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "agent/access/password_check.h"
#include "agent/receive/write_exchange.h"
#include "agent/telemetry/metric_sink.h"
#include "agent/web/write_visitor.h"
#include "common/event/system_event_loop.h"

namespace tributary {

struct WriteServerOptions {
  size_t connections_max = 10'000;
  size_t head_bytes_max = 16 << 10;
  size_t pending_bytes_max = 64 << 20;
  // Longer than clients keep an idle connection, so that it is they who close it (Go: five
  // minutes).
  nanoseconds idle_timeout = std::chrono::minutes(6);
  nanoseconds head_timeout = seconds(10);
  nanoseconds body_timeout = seconds(60);
  nanoseconds answer_timeout = seconds(30);
  // So long what --web.config.file said when it was last asked is good enough.
  nanoseconds terms_max_age = seconds(60);
};

class WriteServer {
 public:
  // Answers once, now or later on the loop, or never.
  using Handler = std::function<void(IncomingWrite, WriteDone)>;

  struct Seams {
    Handler handler;
    std::function<size_t()> body_bytes_max;
    std::shared_ptr<VisitorReturns> returns;
    PasswordCheck* passwords = nullptr;  // null: everybody may come
  };

  WriteServer(SystemEventLoop& loop, WriteServerOptions options, Seams seams);
  // When the loop runs no more.
  ~WriteServer();
  WriteServer(const WriteServer&) = delete;
  WriteServer& operator=(const WriteServer&) = delete;

  void Adopt(WriteVisitor visitor);
  void Collect(MetricSink& sink) const;

 private:
  class Connection;

  void Remove(Connection& connection);
  bool Reserve(const std::shared_ptr<Connection>& connection, size_t bytes);
  void Release(size_t bytes);

  SystemEventLoop& loop_;
  const WriteServerOptions options_;
  const Seams seams_;
  std::list<std::shared_ptr<Connection>> connections_;  // the longest idle first
  std::deque<std::weak_ptr<Connection>> waiting_;       // for room
  size_t pending_bytes_ = 0;
  uint64_t accepted_ = 0, timed_out_ = 0, crowded_ = 0, returned_ = 0, waited_ = 0, refused_ = 0;
  std::string buffer_;
};

}  // namespace tributary
