#include "agent/target/url.h"

namespace tributary {
namespace {

// What RFC 3986 calls unreserved: never escaped.
bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

// Keeps the unreserved bytes and those of `kept`; the rest becomes %XX.
std::string Escape(std::string_view text, std::string_view kept) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || kept.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

}  // namespace

std::string EscapeHost(std::string_view host) { return Escape(host, "!$&'()*+,;=:[]<>\""); }

std::string EscapePath(std::string_view path) {
  if (path == "*") return "*";
  return Escape(path, "$&+,/:;=@");
}

std::string EscapeQuery(std::string_view text) {
  std::string out = Escape(text, " ");
  for (char& c : out) {
    if (c == ' ') c = '+';
  }
  return out;
}

std::string EncodeQuery(const std::map<std::string, std::vector<std::string>>& values) {
  std::string out;
  for (const auto& [name, list] : values) {
    for (const std::string& value : list) {
      if (!out.empty()) out += '&';
      out += EscapeQuery(name);
      out += '=';
      out += EscapeQuery(value);
    }
  }
  return out;
}

std::string JoinUrl(std::string_view scheme, std::string_view host, std::string_view path,
                    std::string_view query) {
  std::string out;
  if (!scheme.empty()) {
    out += scheme;
    out += ':';
  }
  out += "//";
  out += EscapeHost(host);
  if (!path.empty() && path.front() != '/') out += '/';
  out += EscapePath(path);
  if (!query.empty()) {
    out += '?';
    out += query;
  }
  return out;
}

}  // namespace tributary
