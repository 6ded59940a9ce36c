#include "agent/web/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <system_error>

#include <fmt/format.h>

namespace tributary {
namespace {

constexpr int kBacklog = 128;

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::string ReasonOf(int error) {
  std::string reason = std::generic_category().message(error);
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') {
    reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  }
  switch (error) {
    case EADDRINUSE:
      return reason + "; choose another with --web.listen-address";
    case EADDRNOTAVAIL:
      return reason + "; --web.listen-address must name an address of this machine";
    case EACCES:
      return reason +
             "; ports below 1024 need a privilege, choose another with --web.listen-address";
    default:
      return reason;
  }
}

Result<AddressList> LookUp(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                                std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return Fail(error == EAI_SYSTEM ? ReasonOf(errno) : gai_strerror(error));
  return AddressList(found, &freeaddrinfo);
}

// A listening socket, or -1 and errno.
int TryListen(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int yes = 1;
  const int no = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  // The IPv6 wildcard serves IPv4 as well; other addresses do not mind.
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::string NameOf(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (getsockname(fd, address, &size) != 0 ||
      getnameinfo(address, size, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "";
  }
  return storage.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

}  // namespace

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const auto bad = [text](std::string_view why) {
    return Fail(fmt::format(
        "\"{}\" is not an address to listen on: {}; write host:port, [IPv6]:port or :port", text,
        why));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 3) return bad("the brackets do not hold an address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address needs brackets");
  }
  ListenAddress address;
  address.host = host;
  const auto end = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (end.ec != std::errc() || end.ptr != port.data() + port.size()) {
    return bad("the port must be a number from 0 to 65535");
  }
  return address;
}

Result<Listener> Listener::Open(const std::string& text) {
  const auto address = ParseListenAddress(text);
  if (!address) return tl::unexpected(address.error());
  const auto found = LookUp(*address);
  if (!found) return Fail(fmt::format("cannot listen on {}: {}", text, found.error().message));
  // All addresses is IPv6's wildcard where there is IPv6; a name prefers IPv4.
  const int first_family = address->host.empty() ? AF_INET6 : AF_INET;
  int error = EADDRNOTAVAIL;
  for (const bool first_round : {true, false}) {
    for (const addrinfo* at = found->get(); at != nullptr; at = at->ai_next) {
      if ((at->ai_family == first_family) != first_round) continue;
      const int fd = TryListen(*at);
      if (fd >= 0) return Listener(fd, NameOf(fd));
      error = errno;
      if (error == EADDRINUSE || error == EACCES) {
        return Fail(fmt::format("cannot listen on {}: {}", text, ReasonOf(error)));
      }
    }
  }
  return Fail(fmt::format("cannot listen on {}: {}", text, ReasonOf(error)));
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)) {}

Listener::~Listener() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace tributary
