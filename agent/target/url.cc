#include "agent/target/url.h"

namespace tributary {

std::string EscapeHost(std::string_view host) { return EscapeBytes(host, "!$&'()*+,;=:[]<>\""); }

std::string EscapePath(std::string_view path) {
  if (path == "*") return "*";
  return EscapeBytes(path, "$&+,/:;=@");
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
