#include "agent/scrape/local_hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <optional>

#include "common/http/http_url.h"

namespace tributary {
namespace {

// Written in however many ways, an address has the same 16 bytes.
std::optional<in6_addr> ParseAddress(const std::string& text) {
  in6_addr six{};
  if (inet_pton(AF_INET6, text.c_str(), &six) == 1) return six;
  in_addr four{};
  if (inet_pton(AF_INET, text.c_str(), &four) != 1) return std::nullopt;
  six = {};
  six.s6_addr[10] = six.s6_addr[11] = 0xff;
  std::memcpy(&six.s6_addr[12], &four, sizeof(four));
  return six;
}

bool IsLoopback(const in6_addr& address) {
  return IN6_IS_ADDR_LOOPBACK(&address) ||
         (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

std::string Bytes(const in6_addr& address) {
  return {reinterpret_cast<const char*>(address.s6_addr), sizeof(address.s6_addr)};
}

}  // namespace

LocalHosts::LocalHosts(const std::vector<std::string>& node_addresses) {
  for (const std::string& text : node_addresses) {
    if (const auto address = ParseAddress(text)) addresses_.insert(Bytes(*address));
  }
}

bool LocalHosts::Has(const std::string& url) const {
  const auto parsed = ParseHttpUrl(url);
  if (!parsed) return false;
  if (parsed->host == "localhost") return true;
  const auto address = ParseAddress(parsed->host);
  return address && (IsLoopback(*address) || addresses_.contains(Bytes(*address)));
}

}  // namespace tributary
