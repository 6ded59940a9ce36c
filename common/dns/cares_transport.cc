#include "common/dns/cares_transport.h"

#include <ares.h>
#include <arpa/inet.h>
#include <sys/time.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/assert.h"

namespace tributary {
namespace {

constexpr int kTimeoutMs = 2000;
constexpr int kUdpBytesMax = 4096;
constexpr int kClassInternet = 1;

bool SetAddress(const std::string& text, ares_addr_port_node& node) {
  node.family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  return inet_pton(node.family, text.c_str(), &node.addr) == 1;
}

}  // namespace

// One question. Its end is a timer's callback, as c-ares may say that it is over from inside any
// call, and a channel must not be destroyed from its own callbacks.
class CaresTransport::Exchange {
 public:
  Exchange(SystemEventLoop& loop, std::function<void(Result<DnsMessage>)> ended)
      : loop_(loop), ended_(std::move(ended)), timeout_(loop), end_(loop) {}
  ~Exchange() {
    cancelled_ = true;
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void Begin(const DnsQuestion& question) {
    if (Status begun = TryBegin(question); !begun) return End(Fail(begun.error().message));
    SetTimeout();
  }

 private:
  Status TryBegin(const DnsQuestion& question);
  void WatchSocket(int fd, bool readable, bool writable);
  void OnSocket(int fd, uint32_t events);
  void SetTimeout();
  void Answered(int status, const unsigned char* bytes, int length);
  void End(Result<DnsMessage> result);

  SystemEventLoop& loop_;
  const std::function<void(Result<DnsMessage>)> ended_;
  ares_channel channel_ = nullptr;
  bool cancelled_ = false;
  Timer timeout_;
  Timer end_;
};

Status CaresTransport::Exchange::TryBegin(const DnsQuestion& question) {
  ares_addr_port_node server{};
  server.udp_port = server.tcp_port = question.port;
  if (!SetAddress(question.server, server)) return Fail("is not an address");
  // What is not said here would be read from files and the environment.
  char no_file[] = "/dev/null";
  char lookups[] = "b";
  ares_options options{};
  options.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP;
  options.ednspsz = kUdpBytesMax;
  options.timeout = kTimeoutMs;
  options.tries = 1;
  options.lookups = lookups;
  options.resolvconf_path = no_file;
  options.sock_state_cb_data = this;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Exchange*>(self)->WatchSocket(fd, readable != 0, writable != 0);
  };
  const int made =
      ares_init_options(&channel_, &options,
                        ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                            ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB);
  if (made != ARES_SUCCESS) {
    channel_ = nullptr;
    return Fail(ares_strerror(made));
  }
  if (const int set = ares_set_servers_ports(channel_, &server); set != ARES_SUCCESS) {
    return Fail(ares_strerror(set));
  }
  unsigned char* query = nullptr;
  int length = 0;
  const int written =
      ares_create_query(question.name.c_str(), kClassInternet, static_cast<int>(question.type), 0,
                        1, &query, &length, kUdpBytesMax);
  if (written != ARES_SUCCESS) return Fail(ares_strerror(written));
  ares_send(
      channel_, query, length,
      [](void* self, int status, int, unsigned char* bytes, int bytes_length) {
        static_cast<Exchange*>(self)->Answered(status, bytes, bytes_length);
      },
      this);
  ares_free_string(query);
  return {};
}

void CaresTransport::Exchange::WatchSocket(int fd, bool readable, bool writable) {
  if (!readable && !writable) return loop_.RemoveFd(fd);  // about to be closed
  const uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  loop_.WatchFd(fd, events, [this, fd](uint32_t ready) { OnSocket(fd, ready); });
}

void CaresTransport::Exchange::OnSocket(int fd, uint32_t events) {
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  ares_process_fd(channel_, broken || (events & EPOLLIN) != 0 ? fd : ARES_SOCKET_BAD,
                  broken || (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
  SetTimeout();
}

void CaresTransport::Exchange::SetTimeout() {
  timeval left{};
  if (end_.active() || ares_timeout(channel_, nullptr, &left) == nullptr) return timeout_.Cancel();
  // c-ares counts in milliseconds and rounds down.
  const nanoseconds delay = std::chrono::seconds(left.tv_sec) +
                            std::chrono::microseconds(left.tv_usec) + std::chrono::milliseconds(1);
  timeout_.SetAfter(delay, [this] {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    SetTimeout();
  });
}

void CaresTransport::Exchange::Answered(int status, const unsigned char* bytes, int length) {
  if (cancelled_) return;
  if (status != ARES_SUCCESS) return End(Fail(ares_strerror(status)));
  End(ParseDnsMessage(std::string(bytes, bytes + length)));
}

void CaresTransport::Exchange::End(Result<DnsMessage> result) {
  end_.SetAfter(nanoseconds(0), [ended = ended_, result = std::move(result)] { ended(result); });
}

CaresTransport::CaresTransport(SystemEventLoop& loop) : loop_(loop) {
  CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

CaresTransport::~CaresTransport() {
  exchanges_.clear();
  ares_library_cleanup();
}

DnsRequestId CaresTransport::Ask(const DnsQuestion& question, Done done) {
  const DnsRequestId id = ++last_id_;
  auto ended = [this, id, done = std::move(done)](Result<DnsMessage> result) {
    exchanges_.erase(id);
    done(std::move(result));
  };
  auto exchange = std::make_unique<Exchange>(loop_, std::move(ended));
  exchange->Begin(question);
  exchanges_.emplace(id, std::move(exchange));
  return id;
}

void CaresTransport::Cancel(DnsRequestId id) { exchanges_.erase(id); }

}  // namespace tributary
