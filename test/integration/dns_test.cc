// CaresTransport, and the Resolver over it, against DNS servers of the test's own: UDP and TCP on
// 127.0.0.1.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/dns/cares_transport.h"
#include "common/dns/resolver.h"
#include "common/event/system_event_loop.h"
#include "common/file/posix_file_system.h"
#include "test/support/catch.h"
#include "test/support/dns_message.h"
#include "test/support/process.h"

namespace tributary {
namespace {

struct Asked {
  std::string name;  // "web.local."
  unsigned type = 0;
  bool tcp = false;
  bool edns = false;
};

// Serves one port over both protocols, on a thread of its own.
class DnsServer {
 public:
  // The bytes to answer with; nullopt: none. The id is put in, and the question may be.
  using Script = std::function<std::optional<DnsAnswer>(const Asked&)>;

  explicit DnsServer(Script script, in_addr_t address = INADDR_LOOPBACK, uint16_t port = 0)
      : script_(std::move(script)) {
    // Somebody else may have the port that TCP got for UDP.
    bool bound = false;
    for (int tries = 0; !bound && tries < 100; tries++) bound = Bind(address, port);
    REQUIRE(bound);
    REQUIRE(listen(tcp_, 8) == 0);
    REQUIRE(pipe(stop_) == 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~DnsServer() {
    close(stop_[1]);
    thread_.join();
    for (const int fd : {udp_, tcp_, stop_[0]}) close(fd);
  }
  uint16_t port() const { return port_; }
  // In their order.
  std::vector<Asked> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void SetScript(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }

 private:
  // Both sockets to one port.
  bool Bind(in_addr_t address, uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(address);
    name.sin_port = htons(port);
    socklen_t length = sizeof name;
    void* const generic = &name;
    for (const int fd : {udp_, tcp_}) {
      if (fd >= 0) close(fd);
    }
    udp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(tcp_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(tcp_, static_cast<sockaddr*>(generic), length) != 0) return false;
    REQUIRE(getsockname(tcp_, static_cast<sockaddr*>(generic), &length) == 0);
    port_ = ntohs(name.sin_port);
    return bind(udp_, static_cast<sockaddr*>(generic), length) == 0;
  }

  void Serve() {
    while (true) {
      pollfd fds[] = {{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
      if (poll(fds, 3, -1) < 0) continue;
      if (fds[2].revents != 0) return;
      if (fds[0].revents != 0) ServeUdp();
      if (fds[1].revents != 0) ServeTcp();
    }
  }
  void ServeUdp() {
    char buffer[4096];
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    void* const generic = &peer;
    const ssize_t size =
        recvfrom(udp_, buffer, sizeof buffer, 0, static_cast<sockaddr*>(generic), &length);
    const auto answer =
        Answer(std::string(buffer, static_cast<size_t>(std::max<ssize_t>(size, 0))), false);
    if (answer) {
      sendto(udp_, answer->data(), answer->size(), 0, static_cast<sockaddr*>(generic), length);
    }
  }
  // One question a connection.
  void ServeTcp() {
    const int fd = accept(tcp_, nullptr, nullptr);
    unsigned char size[2];
    std::string request;
    if (recv(fd, size, 2, MSG_WAITALL) == 2) {
      request.resize(static_cast<size_t>(size[0] << 8 | size[1]));
      if (recv(fd, request.data(), request.size(), MSG_WAITALL) > 0) {
        if (const auto answer = Answer(request, true)) {
          const std::string bytes = DnsWord(static_cast<unsigned>(answer->size())) + *answer;
          send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        }
      }
    }
    close(fd);
  }
  std::optional<std::string> Answer(const std::string& request, bool tcp) {
    Asked asked;
    asked.tcp = tcp;
    asked.edns = request.at(11) != 0;
    size_t at = 12;
    while (request.at(at) != 0) {
      const auto label = static_cast<size_t>(request[at]);
      asked.name += request.substr(at + 1, label) + ".";
      at += 1 + label;
    }
    asked.type = static_cast<unsigned char>(request.at(at + 2));
    const std::lock_guard lock(mutex_);
    asked_.push_back(asked);
    std::optional<DnsAnswer> answer = script_(asked);
    if (!answer) return std::nullopt;
    answer->id = static_cast<unsigned>(static_cast<unsigned char>(request[0]) << 8 |
                                       static_cast<unsigned char>(request[1]));
    answer->question = request.substr(12, at + 5 - 12);
    return DnsAnswerBytes(*answer);
  }

  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  Script script_;
  int udp_ = -1, tcp_ = -1;
  int stop_[2] = {-1, -1};
  uint16_t port_ = 0;
  std::thread thread_;
};

DnsAnswer Addresses(unsigned count) {
  DnsAnswer answer;
  for (unsigned i = 0; i < count; i++) answer.records.push_back(DnsA(DnsWord(0x0A01) + DnsWord(i)));
  return answer;
}

// Runs the loop until it is answered. "10.1.0.0 10.1.0.1", "code 3", or "error: ...".
std::string Ask(SystemEventLoop& loop, DnsTransport& transport, const DnsQuestion& question) {
  std::string text = "nothing";
  transport.Ask(question, [&](Result<DnsMessage> message) {
    REQUIRE(text == "nothing");
    loop.Stop();
    if (!message) {
      text = "error: " + message.error().message;
      return;
    }
    text = message->rcode == 0 ? "" : "code " + std::to_string(message->rcode);
    if (message->truncated) text += "truncated";
    for (const DnsRecord& record : message->answers) {
      text += (text.empty() ? "" : " ") + record.value;
    }
  });
  CHECK(text == "nothing");
  loop.Run();
  return text;
}

TEST_CASE("dns: a question goes by UDP, with EDNS, and once") {
  DnsServer server([](const Asked&) { return Addresses(2); });
  SystemEventLoop loop;
  CaresTransport transport(loop);
  CHECK(Ask(loop, transport, {"127.0.0.1", server.port(), "web.local.", DnsType::kSrv}) ==
        "10.1.0.0 10.1.0.1");
  const std::vector<Asked> asked = server.asked();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].name == "web.local.");
  CHECK(asked[0].type == 33);
  CHECK(asked[0].edns);
  CHECK_FALSE(asked[0].tcp);
}

TEST_CASE("dns: what does not fit into UDP comes by TCP, and what is large but fits does not") {
  DnsServer server([](const Asked&) { return Addresses(200); });  // 3.2 KB
  const auto protocols = [&] {
    std::string text;
    for (const Asked& asked : server.asked()) text += asked.tcp ? "tcp " : "udp ";
    return text;
  };
  SystemEventLoop loop;
  CaresTransport transport(loop);
  const DnsQuestion question = {"127.0.0.1", server.port(), "web.local.", DnsType::kA};
  const std::string large = Ask(loop, transport, question);
  CHECK(std::count(large.begin(), large.end(), ' ') == 199);
  CHECK(protocols() == "udp ");
  server.SetScript([](const Asked& asked) {
    if (asked.tcp) return Addresses(4000);  // 64,000 bytes
    DnsAnswer cut;
    cut.truncated = true;
    return cut;
  });
  const std::string larger = Ask(loop, transport, question);
  CHECK(std::count(larger.begin(), larger.end(), ' ') == 3999);
  CHECK(protocols() == "udp udp tcp ");
}

TEST_CASE("dns: every code is an answer, and a server without EDNS is asked without it") {
  DnsServer server([](const Asked& asked) {
    DnsAnswer answer;
    answer.rcode = static_cast<unsigned>(asked.name[0] - '0');
    return answer;
  });
  SystemEventLoop loop;
  CaresTransport transport(loop);
  for (const char* code : {"2", "3", "4", "5", "9"}) {
    CHECK(
        Ask(loop, transport, {"127.0.0.1", server.port(), code + std::string("."), DnsType::kA}) ==
        "code " + std::string(code));
  }
  CHECK(server.asked().size() == 5);
  server.SetScript([](const Asked& asked) {
    if (!asked.edns) return Addresses(1);
    DnsAnswer answer;
    answer.rcode = 1;  // it cannot read the question
    return answer;
  });
  CHECK(Ask(loop, transport, {"127.0.0.1", server.port(), "web.", DnsType::kA}) == "10.1.0.0");
  const std::vector<Asked> asked = server.asked();
  REQUIRE(asked.size() == 7);
  CHECK(asked[5].edns);
  CHECK_FALSE(asked[6].edns);
}

TEST_CASE("dns: what cannot be asked or answered is an error, in its time") {
  DnsServer silent([](const Asked&) { return std::nullopt; });
  uint16_t unused = 0;
  {
    unused = DnsServer([](const Asked&) { return std::nullopt; }).port();
  }
  SystemEventLoop loop;
  CaresTransport transport(loop);
  const auto error = [&](const std::string& server, uint16_t port, const std::string& name) {
    const std::string text = Ask(loop, transport, {server, port, name, DnsType::kA});
    CHECK(text.starts_with("error: "));
  };
  const MonotonicTime start = loop.Now();
  error("127.0.0.1", unused, "web.");
  error("localhost", unused, "web.");
  error("fe80::1%lo", unused, "web.");
  error("127.0.0.1", unused, "web..local.");
  error("127.0.0.1", unused, std::string(64, 'a') + ".");
  CHECK(loop.Now() - start < seconds(1));
  error("127.0.0.1", silent.port(), "web.");
  CHECK(loop.Now() - start > milliseconds(1'900));
  CHECK(loop.Now() - start < seconds(8));
}

TEST_CASE("dns: many questions at a time are answered, and cancelled ones are not") {
  DnsServer server([](const Asked& a) -> std::optional<DnsAnswer> {
    if (a.name == "silent.") return std::nullopt;
    return Addresses(1);
  });
  SystemEventLoop loop;
  CaresTransport transport(loop);
  constexpr int kCount = 200;
  int left = kCount;
  std::vector<DnsRequestId> cancelled;
  for (int i = 0; i < kCount; i++) {
    transport.Ask({"127.0.0.1", server.port(), "n" + std::to_string(i) + ".", DnsType::kA},
                  [&](const Result<DnsMessage>& message) {
                    CHECK(message.has_value());
                    if (--left == 0) loop.Stop();
                  });
    cancelled.push_back(transport.Ask({"127.0.0.1", server.port(), "silent.", DnsType::kA},
                                      [](const auto&) { FAIL("called"); }));
  }
  // Some at once, the others with their sockets open.
  for (size_t i = 0; i < cancelled.size(); i += 2) transport.Cancel(cancelled[i]);
  loop.Run();
  for (const DnsRequestId id : cancelled) transport.Cancel(id);
  loop.AddTimerAfter(milliseconds(50), [&] { loop.Stop(); });
  loop.Run();
  CHECK(left == 0);
  // Those that are left when it ends say nothing.
  transport.Ask({"127.0.0.1", server.port(), "silent.", DnsType::kA},
                [](const auto&) { FAIL("called"); });
}

TEST_CASE("dns: the resolver goes on to the next server and through the search domains") {
  const auto answer = [](const Asked& a) -> std::optional<DnsAnswer> {
    if (a.name == "web.second.local.") {
      DnsAnswer found;
      found.records = {DnsSrv("a.second.local.", 9100), DnsSrv("b.second.local.", 9101)};
      return found;
    }
    DnsAnswer missing;
    missing.rcode = 3;
    return missing;
  };
  DnsServer good(answer);
  // The same port of another address of the loopback network.
  DnsServer bad(
      [](const Asked&) {
        DnsAnswer refused;
        refused.rcode = 5;
        return refused;
      },
      INADDR_LOOPBACK + 1, good.port());
  TemporaryFolder folder;
  const std::string conf =
      folder.Write("resolv.conf",
                   "nameserver 127.0.0.2\nnameserver 127.0.0.1\nsearch first.local second.local\n");
  SystemEventLoop loop;
  PosixFileSystem files;
  CaresTransport transport(loop);
  Resolver resolver(loop, files, transport, {conf, good.port()});
  std::vector<DnsRecord> records;
  resolver.Start("web", DnsType::kSrv, [&](Result<std::vector<DnsRecord>> found) {
    CHECK(found.has_value());
    if (found) records = *found;
    loop.Stop();
  });
  loop.Run();
  const std::vector<DnsRecord> expected = {{33, "a.second.local.", 9100},
                                           {33, "b.second.local.", 9101}};
  CHECK(records == expected);
}

}  // namespace
}  // namespace tributary
