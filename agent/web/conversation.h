// One accepted connection: a request whose head has arrived, and the answer to it, as the byte
// stream that cpp-httplib's parser and writer work on.
//
// cpp-httplib's own sockets wait with select(), which breaks at descriptor 1024 (an agent with many
// targets has more), and give every single read and write its own timeout, so that one byte every
// few seconds holds a thread for hours. Here the whole rest of the request and the whole answer
// have one deadline each. Belongs to one thread at a time; closes the socket at its end.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <httplib.h>

#include "agent/access/channel.h"
#include "agent/access/web_access.h"
#include "agent/web/write_visitor.h"

namespace tributary {

struct Patience {
  std::chrono::milliseconds read_timeout{0};   // for the rest of the request
  std::chrono::milliseconds write_timeout{0};  // for the answer, from its first byte on
};

class Conversation : public httplib::Stream {
 public:
  // `head` is what has been read from the channel already, at least all headers.
  // Where they announce no body nothing more is read (RFC 9112 6.3; cpp-httplib would read on to
  // the end of the connection, which `curl -X POST` never comes to).
  // `terms`: the rules of the time when it was accepted; null: none.
  Conversation(std::unique_ptr<Channel> channel, std::string head,
               std::shared_ptr<const WebTerms> terms = nullptr);
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // What it was made of, for somebody else to go on with; nothing has been read of it yet. The
  // conversation is over.
  WriteVisitor Release() { return {std::move(channel_), std::move(head_), std::move(terms_)}; }

  const std::string& head() const { return head_; }
  const WebTerms* terms() const { return terms_.get(); }
  // Ends what another thread waits for here: its reads and writes fail from now on.
  void Abort();
  // Counts from now; until then nothing is waited for.
  void SetPatience(Patience patience);

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override;
  using httplib::Stream::write;

 private:
  using Clock = std::chrono::steady_clock;

  // Whether the event came before the deadline.
  bool WaitFor(short event, Clock::time_point deadline) const;

  std::unique_ptr<Channel> channel_;
  std::shared_ptr<const WebTerms> terms_;
  std::string head_;
  const bool has_body_;
  size_t head_read_ = 0;
  std::chrono::milliseconds write_timeout_{0};
  Clock::time_point read_deadline_{};
  Clock::time_point write_deadline_{};
  bool write_begun_ = false;
};

}  // namespace tributary
