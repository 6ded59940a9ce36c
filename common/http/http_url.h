// What a client has to know of the URL that it asks, and where a redirect leads. As libcurl's
// parser has it, so that nobody reads a URL in another way than the transport. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tributary {

struct HttpUrl {
  bool https = false;
  std::string host;  // lower case; an IPv6 address without its brackets
  uint16_t port = 0;
  std::string authority;  // host and port as the URL has them, without userinfo: what Host says
  // The host as it stands in URLs.
  std::string BracketedHost() const;
};

// Nullopt for anything but an absolute http or https URL with a host.
std::optional<HttpUrl> ParseHttpUrl(const std::string& url);

// Where the header Location of an answer to `base` leads (RFC 3986, 5.2); nullopt if that is
// nothing that ParseHttpUrl takes.
std::optional<std::string> ResolveLocation(const std::string& base, const std::string& location);

// The URL with another host in the place of its own, port and all else as they are. Of a URL that
// ParseHttpUrl takes.
std::string WithHost(const std::string& url, const std::string& host);

}  // namespace tributary
