#include "test/bench/load/load_process.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

#include "common/base/assert.h"

namespace tributary {

TimestampMs NowMs() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

ProcessOptions CommandOf(std::string command,
                         const std::vector<std::pair<std::string, std::string>>& replaced) {
  for (const auto& [what, by] : replaced) {
    for (size_t at = 0; (at = command.find(what, at)) != std::string::npos; at += by.size()) {
      command.replace(at, what.size(), by);
    }
  }
  std::istringstream words(command);
  ProcessOptions process;
  words >> process.program;
  process.arguments.assign(std::istream_iterator<std::string>(words), {});
  return process;
}

Usage UsageOf(pid_t pid) {
  Usage usage;
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 3; fields >> field && i <= 15; i++) {
    if (i >= 14) usage.cpu_s += std::stod(field) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) usage.resident = std::stoull(line.substr(6)) << 10;
    if (line.starts_with("RssAnon:")) usage.anonymous = std::stoull(line.substr(8)) << 10;
  }
  return usage;
}

}  // namespace tributary
