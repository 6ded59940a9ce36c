#include "agent/web/write_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "agent/web/write_head.h"

namespace tributary {

namespace {

constexpr size_t kReadBytes = 64 << 10;
// What a connection keeps between two requests.
constexpr size_t kKeptBytes = 4 << 10;

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

std::string ResponseOf(const WriteAnswer& answer, bool keeps_alive, const WebTerms* terms) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", answer.status, ReasonOf(answer.status));
  if (answer.tells_written) {
    fmt::format_to(std::back_inserter(text),
                   "X-Prometheus-Remote-Write-Samples-Written: {}\r\n"
                   "X-Prometheus-Remote-Write-Histograms-Written: {}\r\n"
                   "X-Prometheus-Remote-Write-Exemplars-Written: {}\r\n",
                   answer.written.samples, answer.written.histograms, answer.written.exemplars);
  }
  if (answer.retry_after_s > 0) {
    fmt::format_to(std::back_inserter(text), "Retry-After: {}\r\n", answer.retry_after_s);
  }
  if (terms != nullptr) {
    for (const auto& [name, value] : terms->config->headers) {
      if (!value.empty()) fmt::format_to(std::back_inserter(text), "{}: {}\r\n", name, value);
    }
  }
  if (!keeps_alive) text += "Connection: close\r\n";
  if (answer.status == 204) return text + "\r\n";
  return text + fmt::format(
                    "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
                    "Content-Length: {}\r\n\r\n{}\n",
                    answer.text.size() + 1, answer.text);
}

// Without its port; "": it has none, or has gone.
std::string PeerAddress(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  char text[INET6_ADDRSTRLEN] = "";
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return "";
  const void* address = nullptr;
  if (peer.ss_family == AF_INET) address = &reinterpret_cast<sockaddr_in&>(peer).sin_addr;
  if (peer.ss_family == AF_INET6) address = &reinterpret_cast<sockaddr_in6&>(peer).sin6_addr;
  const bool told =
      address != nullptr && inet_ntop(peer.ss_family, address, text, sizeof(text)) != nullptr;
  return told ? text : "";
}

}  // namespace

class WriteServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(WriteServer& server, WriteVisitor visitor)
      : server_(server),
        channel_(std::move(visitor.channel)),
        in_(std::move(visitor.bytes)),
        terms_(std::move(visitor.terms)),
        terms_since_(server.loop_.Now()),
        sender_(PeerAddress(channel_->fd())),
        timer_(server.loop_) {}

  std::list<std::shared_ptr<Connection>>::iterator place;

  int fd() const { return channel_->fd(); }
  bool idle() const { return state_ == State::kHead && in_.empty(); }

  void Begin() {
    Watch(EPOLLIN);
    Expect(server_.options_.head_timeout);
    Run();
  }
  // There is room for its body now.
  void GoOn() {
    if (state_ != State::kRoom) return;
    state_ = State::kBody;
    Run();
  }
  void Close() {
    if (closed_) return;
    closed_ = true;
    timer_.Cancel();
    server_.loop_.RemoveFd(fd());
    server_.Remove(*this);
  }

 private:
  enum class State : uint8_t { kHead, kRoom, kBody, kBusy, kAnswer };

  void Watch(uint32_t events) {
    if (events == watched_) return;
    watched_ = events;
    server_.loop_.WatchFd(fd(), events, [this](uint32_t got) { OnEvent(got); });
  }
  void Expect(nanoseconds timeout) {
    timer_.SetAfter(timeout, [this] {
      const auto self = shared_from_this();
      server_.timed_out_ += idle() ? 0 : 1;
      Close();
    });
  }

  void OnEvent(uint32_t events) {
    const auto self = shared_from_this();
    if (state_ == State::kBusy || state_ == State::kRoom) {
      // Nothing is read now. One that has gone is found out when it is answered.
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        Close();
      } else {
        Watch(0);
      }
      return;
    }
    Run();
  }

  // Goes on as far as it can. An answer may come while it runs.
  void Run() {
    const auto self = shared_from_this();
    if (std::exchange(running_, true)) return;
    while (!closed_ && Step()) {
    }
    running_ = false;
    if (closed_) return;
    if (state_ == State::kHead || state_ == State::kBody) Watch(EPOLLIN);
  }

  // False: it has to wait.
  bool Step() {
    switch (state_) {
      case State::kHead:
        return StepHead();
      case State::kBody:
        return StepBody();
      case State::kAnswer:
        return StepAnswer();
      case State::kRoom:
      case State::kBusy:
        return false;
    }
    return false;
  }

  // Reads more; false: there is nothing more now, or the connection has ended.
  bool Read() {
    std::string& buffer = server_.buffer_;
    const ssize_t count = channel_->Read(buffer.data(), buffer.size());
    if (count > 0) {
      in_.append(buffer.data(), static_cast<size_t>(count));
      return true;
    }
    if (count != Channel::kWait) {
      Close();
    } else if (channel_->awaited() != EPOLLIN) {
      Watch(EPOLLIN | EPOLLOUT);
    }
    return false;
  }

  bool StepHead() {
    const size_t end = in_.find("\r\n\r\n", searched_ < 3 ? 0 : searched_ - 3);
    if (end == std::string::npos) {
      if (in_.size() > server_.options_.head_bytes_max)
        return Refuse(431, "request head too large");
      const bool began = in_.empty();
      searched_ = in_.size();
      if (!Read()) return false;
      if (began) Expect(server_.options_.head_timeout);
      return true;
    }
    searched_ = 0;
    const std::string_view head = std::string_view(in_).substr(0, end + 4);
    if (!IsWrite(head) || !MayGoOn(head)) {
      GiveBack();
      return false;
    }
    head_ = ParseWriteHead(head);
    if (head_.error == 411) return Refuse(411, "the request has to have a Content-Length");
    if (head_.error != 0) return Refuse(head_.error, "the head of the request is malformed");
    const size_t most = server_.seams_.body_bytes_max();
    if (head_.content_length > most) {
      return Refuse(413, fmt::format("the request has {} bytes, the limit is {}",
                                     head_.content_length, most));
    }
    if (head_.expects_continue && in_.size() == end + 4) {
      constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      channel_->Write(kContinue.data(), kContinue.size());
    }
    in_.erase(0, end + 4);
    Expect(server_.options_.body_timeout);
    const bool has_room = server_.Reserve(shared_from_this(), head_.content_length);
    state_ = has_room ? State::kBody : State::kRoom;
    return has_room;
  }

  // Whether who has been let in before may send this request too.
  bool MayGoOn(std::string_view head) {
    if (terms_ == nullptr) return true;
    if (server_.loop_.Now() - terms_since_ > server_.options_.terms_max_age) return false;
    if (terms_->config->users.empty()) return true;
    const auto credentials = ParseBasicAuth(head);
    if (credentials) sender_ = "user " + credentials->name;
    return credentials && server_.seams_.passwords->Recall(terms_->config->users, *credentials);
  }

  void GiveBack() {
    const auto self = shared_from_this();
    server_.returned_++;
    closed_ = true;
    timer_.Cancel();
    server_.loop_.RemoveFd(fd());
    server_.seams_.returns->Put({std::move(channel_), std::move(in_), std::move(terms_)});
    server_.Remove(*this);
  }

  bool StepBody() {
    if (in_.size() < head_.content_length) return Read();
    state_ = State::kBusy;
    timer_.Cancel();
    IncomingWrite request;
    request.content_type = std::move(head_.content_type);
    request.content_encoding = std::move(head_.content_encoding);
    request.sender = sender_;
    if (in_.size() == head_.content_length) {
      request.body = std::move(in_);
      in_.clear();
    } else {
      request.body = in_.substr(0, head_.content_length);
      in_.erase(0, head_.content_length);
    }
    server_.seams_.handler(std::move(request), [weak = weak_from_this()](WriteAnswer answer) {
      if (const auto connection = weak.lock()) connection->OnAnswer(answer);
    });
    return state_ == State::kAnswer;
  }

  void OnAnswer(const WriteAnswer& answer) {
    if (closed_ || state_ != State::kBusy) return;
    if (const size_t reserved = std::exchange(reserved_, 0); reserved > 0) {
      server_.Release(reserved);
    }
    Answer(answer, head_.keeps_alive);
    Run();
  }

  bool Refuse(int status, std::string text) {
    server_.refused_++;
    WriteAnswer answer;
    answer.status = status;
    answer.text = std::move(text);
    // Where its body ends nobody knows, or nobody wants to read.
    Answer(answer, false);
    return true;
  }

  void Answer(const WriteAnswer& answer, bool keeps_alive) {
    keeps_alive_ = keeps_alive;
    out_ = ResponseOf(answer, keeps_alive, terms_.get());
    sent_ = 0;
    state_ = State::kAnswer;
  }

  bool StepAnswer() {
    while (sent_ < out_.size()) {
      const ssize_t count = channel_->Write(out_.data() + sent_, out_.size() - sent_);
      if (count == Channel::kWait) {
        if (!timer_.active()) Expect(server_.options_.answer_timeout);
        Watch(static_cast<uint32_t>(channel_->awaited()));
        return false;
      }
      if (count <= 0) {
        Close();
        return false;
      }
      sent_ += static_cast<size_t>(count);
    }
    if (!keeps_alive_) {
      Close();
      return false;
    }
    out_.clear();
    if (in_.empty() && in_.capacity() > kKeptBytes) in_.shrink_to_fit();
    state_ = State::kHead;
    server_.connections_.splice(server_.connections_.end(), server_.connections_, place);
    Expect(in_.empty() ? server_.options_.idle_timeout : server_.options_.head_timeout);
    return true;
  }

  friend class WriteServer;
  static constexpr uint32_t kNothing = 0xffffffff;

  WriteServer& server_;
  std::unique_ptr<Channel> channel_;
  std::string in_;       // read and not yet served
  size_t searched_ = 0;  // of it, for the end of the head
  std::shared_ptr<const WebTerms> terms_;
  const MonotonicTime terms_since_;
  std::string sender_;
  Timer timer_;
  State state_ = State::kHead;
  bool running_ = false, closed_ = false;
  uint32_t watched_ = kNothing;
  size_t reserved_ = 0;  // of what may be pending; not yet, while it waits
  bool waits_ = false;
  WriteHead head_;
  std::string out_;
  size_t sent_ = 0;
  bool keeps_alive_ = true;
};

WriteServer::WriteServer(SystemEventLoop& loop, WriteServerOptions options, Seams seams)
    : loop_(loop), options_(options), seams_(std::move(seams)), buffer_(kReadBytes, '\0') {}

WriteServer::~WriteServer() {
  while (!connections_.empty()) {
    const std::shared_ptr<Connection> connection = connections_.front();
    connection->Close();
  }
}

void WriteServer::Adopt(WriteVisitor visitor) {
  accepted_++;
  if (connections_.size() >= options_.connections_max) {
    crowded_++;
    const std::shared_ptr<Connection> oldest = connections_.front();
    oldest->Close();
  }
  auto connection = std::make_shared<Connection>(*this, std::move(visitor));
  connection->place = connections_.insert(connections_.end(), connection);
  connection->Begin();
}

void WriteServer::Remove(Connection& connection) {
  const size_t reserved = std::exchange(connection.reserved_, 0);
  if (reserved > 0 && !connection.waits_) Release(reserved);
  connections_.erase(connection.place);
}

bool WriteServer::Reserve(const std::shared_ptr<Connection>& connection, size_t bytes) {
  connection->reserved_ = bytes;
  if (pending_bytes_ == 0 || pending_bytes_ + bytes <= options_.pending_bytes_max) {
    pending_bytes_ += bytes;
    return true;
  }
  waited_++;
  waiting_.push_back(connection);
  connection->waits_ = true;
  return false;
}

void WriteServer::Release(size_t bytes) {
  pending_bytes_ -= bytes;
  while (!waiting_.empty()) {
    const std::shared_ptr<Connection> next = waiting_.front().lock();
    if (next == nullptr || next->closed_) {
      waiting_.pop_front();
      continue;
    }
    if (pending_bytes_ > 0 && pending_bytes_ + next->reserved_ > options_.pending_bytes_max) return;
    pending_bytes_ += next->reserved_;
    next->waits_ = false;
    waiting_.pop_front();
    // Not from inside of the one that has made room.
    loop_.Post([next] { next->GoOn(); });
  }
}

void WriteServer::Collect(MetricSink& sink) const {
  sink.AddGauge("tributary_receive_connections", "Connections of senders of remote write.", {},
                static_cast<double>(connections_.size()));
  sink.AddGauge("tributary_receive_pending_bytes",
                "Bytes of requests that are being received or answered.", {},
                static_cast<double>(pending_bytes_));
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    sink.AddCounter(name, help, {}, static_cast<double>(value));
  };
  counter("tributary_receive_connections_total", "Connections taken over from the web server.",
          accepted_);
  counter("tributary_receive_connections_returned_total",
          "Connections given back to the web server, to look at who sends or for another request.",
          returned_);
  counter("tributary_receive_heads_refused_total",
          "Requests refused for their head: too long, malformed, without a length, or with one "
          "over the limit. Their connections are closed.",
          refused_);
  counter("tributary_receive_connections_crowded_total",
          "Connections closed as there were too many.", crowded_);
  counter("tributary_receive_connections_late_total",
          "Connections closed as a request or the taking of its answer took too long.", timed_out_);
  counter("tributary_receive_requests_waited_total",
          "Requests that had to wait until others had been answered.", waited_);
}

}  // namespace tributary
