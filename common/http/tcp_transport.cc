#include "common/http/tcp_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/http/http_url.h"
#include "common/http/request_head.h"
#include "common/http/response_reader.h"

namespace tributary {

namespace {

constexpr size_t kReceiveBytes = 256 << 10;
// Of one connection before others have their turn.
constexpr int kReceivesInRow = 16;
// Beyond five minutes idle, middleboxes have forgotten a connection; Go's client gives up here too.
constexpr seconds kIdleMax{300};
constexpr int kKeepAliveSeconds = 60;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Nullopt: the host is a name.
std::optional<Address> ParseAddress(const HttpUrl& url) {
  Address address;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, url.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(url.port);
    address.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, url.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(url.port);
    address.size = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  return address;
}

void SetInt(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);  // an improvement only
}

// The descriptor of a connection under way, or -1 with errno.
int Connect(const Address& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  SetInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetInt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  SetInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds);
  const auto* const to = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(fd, to, address.size) == 0 || errno == EINPROGRESS) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

bool IsWouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

struct TcpTransport::Impl {
  struct Exchange;
  struct Connection {
    int fd = -1;
    std::string authority;
    bool connected = false;
    bool used = false;             // has had a request before
    bool watches_out = false;      // besides what comes in
    Exchange* exchange = nullptr;  // null: it is idle
    MonotonicTime idle_since{};
    std::list<Connection*>::iterator place;  // among the idle ones
  };
  // A request on its way.
  struct Exchange {
    Exchange(EventLoop& loop, const HttpRequest& request, HttpHandler* its_handler)
        : handler(its_handler),
          body(request.body),
          timeout(request.timeout),
          is_head(request.method == "HEAD"),
          may_be_repeated(is_head || request.method == "GET" || request.method == "OPTIONS"),
          reader(is_head),
          timer(loop) {}
    size_t bytes() const { return head.size() + (body != nullptr ? body->size() : 0); }

    HttpRequestId id = 0;
    HttpHandler* handler;
    Address address;
    std::string head;
    std::shared_ptr<const std::string> body;
    nanoseconds timeout;
    bool is_head;
    bool may_be_repeated;
    size_t sent = 0;
    ResponseReader reader;
    std::unique_ptr<Connection> connection;
    Timer timer;
  };

  Impl(SystemEventLoop& event_loop, size_t most) : loop(event_loop), connections_max(most) {}
  ~Impl();

  void Begin(Exchange& exchange, std::string authority);
  // Null: there is none that can be used.
  std::unique_ptr<Connection> TakeIdle(const std::string& authority);
  void Open(Exchange& exchange, std::string authority);
  void Watch(Connection& connection, bool out);
  void OnEvent(Connection& connection, uint32_t events);
  void OnConnected(Exchange& exchange);
  void Send(Exchange& exchange);
  void Receive(Exchange& exchange);
  void OnBroken(Exchange& exchange, bool reset);
  void OnTimeout(const Exchange& exchange);
  void FailSoon(Exchange& exchange, HttpFailure failure, std::string message);
  void Finish(HttpRequestId id, HttpFailure failure, std::string message);
  void Keep(std::unique_ptr<Connection> connection);
  void CloseIdle(Connection& connection);
  void Close(std::unique_ptr<Connection> connection);

  SystemEventLoop& loop;
  const size_t connections_max;
  HttpRequestId last_id = 0;
  bool in_handler = false;
  std::unordered_map<HttpRequestId, std::unique_ptr<Exchange>> exchanges;
  // By what URLs call them; the last one is the last that was used.
  std::unordered_map<std::string, std::vector<std::unique_ptr<Connection>>> idle;
  std::list<Connection*> idle_order;  // the longest idle first
  std::unique_ptr<std::array<char, kReceiveBytes>> received;
};

TcpTransport::Impl::~Impl() {
  for (auto& [id, exchange] : exchanges) {
    if (exchange->connection != nullptr) Close(std::move(exchange->connection));
  }
  while (!idle_order.empty()) CloseIdle(*idle_order.front());
}

void TcpTransport::Impl::Begin(Exchange& exchange, std::string authority) {
  exchange.timer.SetAfter(exchange.timeout, [this, &exchange] { OnTimeout(exchange); });
  exchange.connection = TakeIdle(authority);
  if (exchange.connection == nullptr) return Open(exchange, std::move(authority));
  exchange.connection->exchange = &exchange;
  Send(exchange);
}

std::unique_ptr<TcpTransport::Impl::Connection> TcpTransport::Impl::TakeIdle(
    const std::string& authority) {
  const MonotonicTime too_old = loop.Now() - kIdleMax;
  for (;;) {
    const auto found = idle.find(authority);
    if (found == idle.end()) return nullptr;
    Connection& last = *found->second.back();
    // The loop may not have come to see yet that the server has closed it, or has said what it was
    // not asked for.
    char byte = 0;
    const bool is_good = last.idle_since >= too_old &&
                         recv(last.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
                         IsWouldBlock(errno);
    if (!is_good) {
      CloseIdle(last);
      continue;
    }
    std::unique_ptr<Connection> connection = std::move(found->second.back());
    found->second.pop_back();
    if (found->second.empty()) idle.erase(found);
    idle_order.erase(connection->place);
    return connection;
  }
}

void TcpTransport::Impl::Open(Exchange& exchange, std::string authority) {
  const int fd = Connect(exchange.address);
  if (fd < 0) {
    return FailSoon(exchange, HttpFailure::kConnect,
                    "connecting to " + authority + ": " + std::strerror(errno));
  }
  exchange.connection = std::make_unique<Connection>();
  exchange.connection->fd = fd;
  exchange.connection->authority = std::move(authority);
  exchange.connection->exchange = &exchange;
  Watch(*exchange.connection, true);
}

// An idle connection is watched as well, so that one request after the other costs no call.
void TcpTransport::Impl::Watch(Connection& connection, bool out) {
  connection.watches_out = out;
  loop.WatchFd(connection.fd, EPOLLIN | (out ? uint32_t{EPOLLOUT} : 0),
               [this, &connection](uint32_t events) { OnEvent(connection, events); });
}

void TcpTransport::Impl::OnEvent(Connection& connection, uint32_t events) {
  if (connection.exchange == nullptr) return CloseIdle(connection);
  Exchange& exchange = *connection.exchange;
  if (!connection.connected) return OnConnected(exchange);
  if ((events & EPOLLOUT) != 0 && connection.watches_out) Send(exchange);
  if ((events & ~uint32_t{EPOLLOUT}) != 0) Receive(exchange);
}

void TcpTransport::Impl::OnConnected(Exchange& exchange) {
  Connection& connection = *exchange.connection;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return Finish(exchange.id, HttpFailure::kConnect,
                  "connecting to " + connection.authority + ": " + std::strerror(error));
  }
  connection.connected = true;
  Send(exchange);
}

// Tells no handler: what is broken shows when it is read from, and what a server has said before it
// closed is read first.
void TcpTransport::Impl::Send(Exchange& exchange) {
  Connection& connection = *exchange.connection;
  while (exchange.sent < exchange.bytes()) {
    std::array<iovec, 2> pieces{};
    size_t count = 0;
    size_t skip = exchange.sent;
    const auto add = [&](const std::string& bytes) {
      const size_t skipped = std::min(skip, bytes.size());
      skip -= skipped;
      if (skipped == bytes.size()) return;
      pieces[count++] = {const_cast<char*>(bytes.data()) + skipped, bytes.size() - skipped};
    };
    add(exchange.head);
    if (exchange.body != nullptr) add(*exchange.body);
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(connection.fd, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      exchange.sent += static_cast<size_t>(sent);
    } else if (errno != EINTR) {
      // Of a broken connection the loop tells as soon as it is asked for anything.
      if (!connection.watches_out) Watch(connection, IsWouldBlock(errno));
      return;
    }
  }
  if (connection.watches_out) Watch(connection, false);
}

void TcpTransport::Impl::Receive(Exchange& exchange) {
  if (received == nullptr) received = std::make_unique<std::array<char, kReceiveBytes>>();
  for (int i = 0; i < kReceivesInRow; i++) {
    const ssize_t size = recv(exchange.connection->fd, received->data(), received->size(), 0);
    if (size < 0 && IsWouldBlock(errno)) return;
    if (size < 0) return OnBroken(exchange, errno == ECONNRESET);
    std::string_view bytes(received->data(), static_cast<size_t>(size));
    in_handler = true;
    const ResponseReader::Progress progress =
        size == 0 ? exchange.reader.End() : exchange.reader.Read(bytes, *exchange.handler);
    in_handler = false;
    switch (progress) {
      case ResponseReader::Progress::kNeedsMore:
        if (size == 0) return OnBroken(exchange, false);
        break;
      case ResponseReader::Progress::kDone:
        // What comes unasked, or before all of the request is out, leaves nothing to build on.
        if (size > 0 && bytes.empty() && exchange.reader.keeps_alive() &&
            exchange.sent == exchange.bytes()) {
          Keep(std::move(exchange.connection));
        }
        return Finish(exchange.id, HttpFailure::kNone, "");
      case ResponseReader::Progress::kBad:
        return Finish(exchange.id, HttpFailure::kBadResponse, exchange.reader.error());
      case ResponseReader::Progress::kRefused:
        return Finish(exchange.id, HttpFailure::kAborted, "the body was refused");
    }
    // There was no more than that: to ask again would cost a call.
    if (static_cast<size_t>(size) < received->size()) return;
  }
}

void TcpTransport::Impl::OnBroken(Exchange& exchange, bool reset) {
  const bool is_kept_one = exchange.connection->used && exchange.reader.untouched();
  if (!is_kept_one || (!exchange.may_be_repeated && exchange.sent > 0)) {
    return Finish(exchange.id, HttpFailure::kClosed,
                  std::string("the connection was ") + (reset ? "reset" : "closed") +
                      " before the " +
                      (exchange.reader.status() == 0 ? "response" : "end of the response"));
  }
  std::string authority = exchange.connection->authority;
  Close(std::move(exchange.connection));
  exchange.sent = 0;
  Open(exchange, std::move(authority));
}

void TcpTransport::Impl::OnTimeout(const Exchange& exchange) {
  const char* stage = "waiting for the response";
  if (exchange.connection == nullptr || !exchange.connection->connected) {
    stage = "connecting";
  } else if (exchange.reader.status() != 0) {
    stage = "reading the body";
  }
  const auto ms = std::chrono::duration_cast<milliseconds>(exchange.timeout).count();
  Finish(exchange.id, HttpFailure::kTimeout,
         "timed out after " + std::to_string(ms) + " ms while " + stage);
}

// Handlers are never called from inside Start.
void TcpTransport::Impl::FailSoon(Exchange& exchange, HttpFailure failure, std::string message) {
  exchange.timer.Set(loop.Now(),
                     [this, id = exchange.id, failure, message = std::move(message)]() mutable {
                       Finish(id, failure, std::move(message));
                     });
}

void TcpTransport::Impl::Finish(HttpRequestId id, HttpFailure failure, std::string message) {
  const auto node = exchanges.extract(id);
  Exchange& exchange = *node.mapped();
  exchange.timer.Cancel();
  if (exchange.connection != nullptr) Close(std::move(exchange.connection));
  HttpOutcome outcome;
  outcome.failure = failure;
  outcome.status = exchange.reader.status();
  outcome.message = std::move(message);
  if (failure == HttpFailure::kNone && !exchange.reader.trailers().empty()) {
    exchange.handler->OnTrailers(exchange.reader.trailers());
  }
  exchange.handler->OnDone(outcome);
}

void TcpTransport::Impl::Keep(std::unique_ptr<Connection> connection) {
  connection->exchange = nullptr;
  connection->used = true;
  connection->idle_since = loop.Now();
  connection->place = idle_order.insert(idle_order.end(), connection.get());
  idle[connection->authority].push_back(std::move(connection));
  if (idle_order.size() > connections_max) CloseIdle(*idle_order.front());
}

// The longest idle one of its address is in front.
void TcpTransport::Impl::CloseIdle(Connection& connection) {
  const auto found = idle.find(connection.authority);
  auto& of_address = found->second;
  const auto it = std::find_if(of_address.begin(), of_address.end(),
                               [&](const auto& one) { return one.get() == &connection; });
  idle_order.erase(connection.place);
  Close(std::move(*it));
  of_address.erase(it);
  if (of_address.empty()) idle.erase(found);
}

void TcpTransport::Impl::Close(std::unique_ptr<Connection> connection) {
  loop.RemoveFd(connection->fd);
  close(connection->fd);
}

TcpTransport::TcpTransport(SystemEventLoop& loop, size_t connections_max)
    : impl_(std::make_unique<Impl>(loop, std::max<size_t>(connections_max, 1))) {}

TcpTransport::~TcpTransport() = default;

HttpRequestId TcpTransport::Start(const HttpRequest& request, HttpHandler* handler) {
  if (request.proxy != nullptr || !request.unix_socket.empty() || request.http2_only) return 0;
  std::optional<HttpUrl> url = ParseHttpUrl(request.url);
  if (!url || url->https) return 0;
  const std::optional<Address> address = ParseAddress(*url);
  const std::optional<std::string> head = address ? RequestHead(request, *url) : std::nullopt;
  if (!head) return 0;
  auto exchange = std::make_unique<Impl::Exchange>(impl_->loop, request, handler);
  exchange->id = ++impl_->last_id;
  exchange->address = *address;
  exchange->head = *head;
  Impl::Exchange& kept = *(impl_->exchanges[exchange->id] = std::move(exchange));
  impl_->Begin(kept, std::move(url->authority));
  return kept.id;
}

void TcpTransport::Cancel(HttpRequestId id) {
  CHECK(!impl_->in_handler);  // the contract forbids it
  const auto node = impl_->exchanges.extract(id);
  if (node.empty()) return;
  if (node.mapped()->connection != nullptr) impl_->Close(std::move(node.mapped()->connection));
}

}  // namespace tributary
