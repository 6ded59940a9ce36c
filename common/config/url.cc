#include "common/config/url.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>

#include <arpa/inet.h>

#include "common/config/model.h"

namespace tributary {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

uint8_t HexValue(char c) {
  if (IsDigit(c)) return static_cast<uint8_t>(c - '0');
  return static_cast<uint8_t>((c | 0x20) - 'a' + 10);
}

enum class Part { kPath, kHost, kZone, kUserinfo };

bool IsHostByte(char c) {
  return IsLetter(c) || IsDigit(c) || std::strchr("-_.~!$&'()*+,;=:[]<>\"", c) != nullptr;
}

// Whether every %-escape is well-formed and, in a host, every byte allowed.
Status CheckEscapes(std::string_view text, Part part) {
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c != '%') {
      bool host = part == Part::kHost || part == Part::kZone;
      if (host && static_cast<unsigned char>(c) < 0x80 && (c == '\0' || !IsHostByte(c))) {
        return Fail("a character that a host name cannot have");
      }
      continue;
    }
    if (i + 2 >= text.size() || !IsHex(text[i + 1]) || !IsHex(text[i + 2])) {
      return Fail("a '%' that is not followed by two hex digits");
    }
    bool percent = text.substr(i, 3) == "%25";
    uint8_t value = static_cast<uint8_t>(HexValue(text[i + 1]) << 4 | HexValue(text[i + 2]));
    if (part == Part::kHost && value < 0x80 && !percent) {
      return Fail("a %-escape that a host name cannot have");
    }
    if (part == Part::kZone && !percent && value != ' ' &&
        (value >= 0x80 || !IsHostByte(static_cast<char>(value)))) {
      return Fail("a %-escape that a zone cannot have");
    }
    i += 2;
  }
  return {};
}

bool IsPort(std::string_view text) {
  if (text.empty()) return true;
  return text[0] == ':' && std::all_of(text.begin() + 1, text.end(), IsDigit);
}

Status CheckIpLiteral(std::string_view host) {
  size_t close = host.rfind(']');
  if (close == std::string_view::npos) return Fail("a '[' without its ']' in the host");
  if (!IsPort(host.substr(close + 1))) return Fail("an invalid port");
  std::string address(host.substr(1, close - 1));
  if (size_t zone = address.find("%25"); zone != std::string::npos) {
    if (Status status = CheckEscapes(std::string_view(address).substr(zone), Part::kZone);
        !status) {
      return status;
    }
    if (zone + 3 == address.size()) return Fail("an empty zone in the host");
    address.resize(zone);
  }
  in6_addr parsed{};
  if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return Fail("an invalid IPv6 address");
  return {};
}

Status CheckHost(std::string_view scheme, std::string_view host) {
  size_t open = host.rfind('[');
  if (open == 0) return CheckIpLiteral(host);
  if (open != std::string_view::npos) return Fail("a '[' inside the host");
  size_t colon = host.find(':');
  if (colon != std::string_view::npos) {
    // Several colons are read as hosts with ports where no web server is meant.
    if (scheme != "http" && scheme != "https") colon = host.rfind(':');
    if (!IsPort(host.substr(colon))) return Fail("an invalid port");
  }
  return CheckEscapes(host, Part::kHost);
}

Status CheckUserinfo(std::string_view userinfo) {
  for (char c : userinfo) {
    bool good =
        IsLetter(c) || IsDigit(c) || (c != '\0' && std::strchr("-._:~!$&'()*+,;=%@", c) != nullptr);
    if (!good) return Fail("a character that user name and password cannot have unescaped");
  }
  return CheckEscapes(userinfo, Part::kUserinfo);
}

// Splits "scheme:rest"; the scheme is empty if there is none.
Status SplitScheme(std::string_view text, std::string& scheme, std::string_view& rest) {
  rest = text;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (IsLetter(c)) continue;
    if (c == ':') {
      if (i == 0) return Fail("no scheme before ':'");
      scheme = text.substr(0, i);
      for (char& letter : scheme) {
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
      }
      rest = text.substr(i + 1);
      return {};
    }
    bool inside = IsDigit(c) || c == '+' || c == '-' || c == '.';
    if (!inside || i == 0) return {};
  }
  return {};
}

}  // namespace

Result<UrlParts> ParseUrl(std::string_view text) {
  UrlParts parts;
  size_t hash = text.find('#');
  if (hash != std::string_view::npos) {
    if (Status fragment = CheckEscapes(text.substr(hash + 1), Part::kPath); !fragment) {
      return tl::unexpected<Error>(fragment.error());
    }
    text = text.substr(0, hash);
  }
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return Fail("a control character");
  }
  if (text == "*") return parts;
  std::string_view rest;
  if (Status scheme = SplitScheme(text, parts.scheme, rest); !scheme) {
    return tl::unexpected<Error>(scheme.error());
  }
  rest = rest.substr(0, rest.find('?'));
  if (!rest.starts_with('/')) {
    if (!parts.scheme.empty()) return parts;  // opaque, like mailto:
    if (rest.substr(0, rest.find('/')).find(':') != std::string_view::npos) {
      return Fail("a ':' in its first part, and no scheme");
    }
  }
  if (rest.starts_with("//") && (!parts.scheme.empty() || !rest.starts_with("///"))) {
    rest.remove_prefix(2);
    size_t end = std::min(rest.find('/'), rest.size());
    std::string_view authority = rest.substr(0, end);
    rest.remove_prefix(end);
    size_t at = authority.rfind('@');
    std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
    if (Status status = CheckHost(parts.scheme, host); !status) {
      return tl::unexpected<Error>(status.error());
    }
    if (at != std::string_view::npos) {
      parts.userinfo = authority.substr(0, at);
      if (Status status = CheckUserinfo(parts.userinfo); !status) {
        return tl::unexpected<Error>(status.error());
      }
    }
    parts.host = host;
  }
  if (Status path = CheckEscapes(rest, Part::kPath); !path) {
    return tl::unexpected<Error>(path.error());
  }
  return parts;
}

std::string RedactUrl(const std::string& url) {
  size_t slashes = url.starts_with("//") ? 0 : url.find("://");
  if (slashes == std::string::npos) return url;
  if (slashes > 0) ++slashes;
  // In a URL that is not valid the password may itself hold '/', '?' or '#': hide more, not less.
  bool valid = ParseUrl(url).has_value();
  size_t begin = slashes + 2;
  size_t end = valid ? std::min(url.find_first_of("/?#", begin), url.size()) : url.size();
  size_t at = url.rfind('@', end == 0 ? 0 : end - 1);
  if (at == std::string::npos || at < begin) return url;
  size_t colon = url.find(':', begin);
  if (colon == std::string::npos || colon > at) return url;
  return url.substr(0, colon + 1) + "xxxxx" + url.substr(at);
}

}  // namespace tributary
