#include "common/http/http_url.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <string_view>

#include "common/base/assert.h"

namespace tributary {

namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

std::string PartOf(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

UrlHandle Parse(const std::string& text) {
  if (text.find('\0') != std::string::npos) return nullptr;
  UrlHandle url(curl_url());
  CHECK(url != nullptr);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK) {
    return nullptr;
  }
  return url;
}

// Where host and port stand in a URL.
std::pair<size_t, size_t> AuthorityOf(const std::string& url) {
  size_t begin = url.find("//") + 2;
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.rfind('@', end - 1);
  if (at != std::string::npos && at >= begin) begin = at + 1;
  return {begin, end};
}

std::string Bracketed(const std::string& host) {
  const bool v6 = host.find(':') != std::string::npos && host.front() != '[';
  return v6 ? "[" + host + "]" : host;
}

bool IsIpv4(std::string_view host) {
  for (int i = 0; i < 4; i++) {
    const size_t dot = std::min(host.find('.'), host.size());
    const std::string_view octet = host.substr(0, dot);
    if (octet.empty() || octet.size() > 3 || (octet.size() > 1 && octet[0] == '0')) return false;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(octet.data(), octet.data() + dot, value);
    if (error != std::errc() || end != octet.data() + dot || value > 255) return false;
    if ((i < 3) != (dot < host.size())) return false;
    host.remove_prefix(std::min(dot + 1, host.size()));
  }
  return true;
}

// A name that libcurl takes as it is: lower case, and not to be mistaken for a number.
bool IsPlainName(std::string_view host) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !host.empty() && host.front() >= 'a' && host.front() <= 'z' && host.back() != '.' &&
         std::all_of(host.begin(), host.end(), is_plain);
}

// The URLs that almost all requests have, without libcurl: to parse them took a twentieth of the
// time of a scrape. Nullopt: it takes a closer look.
std::optional<HttpUrl> ParsePlain(std::string_view text) {
  constexpr size_t kPlainBytesMax = 4096;
  HttpUrl url;
  if (text.size() > kPlainBytesMax) return std::nullopt;
  if (text.starts_with("https://")) {
    url.https = true;
  } else if (!text.starts_with("http://")) {
    return std::nullopt;
  }
  text.remove_prefix(url.https ? 8 : 7);
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return std::nullopt;
  }
  const std::string_view authority = text.substr(0, text.find_first_of("/?#"));
  const size_t colon = std::min(authority.find(':'), authority.size());
  const std::string_view host = authority.substr(0, colon);
  if (!IsPlainName(host) && !IsIpv4(host)) return std::nullopt;
  url.port = url.https ? 443 : 80;
  if (colon < authority.size()) {
    const std::string_view port = authority.substr(colon + 1);
    if (port.empty() || port[0] == '0') return std::nullopt;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  }
  url.host = host;
  url.authority = authority;
  return url;
}

}  // namespace

std::string HttpUrl::BracketedHost() const { return Bracketed(host); }

std::optional<HttpUrl> ParseHttpUrl(const std::string& text) {
  if (std::optional<HttpUrl> plain = ParsePlain(text)) return plain;
  // libcurl takes fewer and more slashes too.
  const size_t colon = text.find(':');
  if (colon == std::string::npos || text.compare(colon, 3, "://") != 0) return std::nullopt;
  if (text.compare(colon + 3, 1, "/") == 0) return std::nullopt;
  const UrlHandle url = Parse(text);
  if (url == nullptr) return std::nullopt;
  const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  HttpUrl parsed;
  parsed.https = scheme == "https";
  parsed.host = PartOf(url.get(), CURLUPART_HOST);
  if (parsed.host.empty()) return std::nullopt;
  const std::string port = PartOf(url.get(), CURLUPART_PORT);
  parsed.port = parsed.https ? 443 : 80;
  parsed.authority = parsed.host;
  if (!port.empty()) {
    parsed.port = static_cast<uint16_t>(std::stoul(port));
    parsed.authority += ":" + port;
  }
  if (parsed.host.front() == '[') parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  std::transform(parsed.host.begin(), parsed.host.end(), parsed.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return parsed;
}

std::optional<std::string> ResolveLocation(const std::string& base, const std::string& location) {
  const UrlHandle url = Parse(base);
  if (url == nullptr || location.find('\0') != std::string::npos) return std::nullopt;
  // Spaces and bytes above 127 are escaped, as Go's client does.
  const unsigned flags = CURLU_URLENCODE | CURLU_ALLOW_SPACE;
  if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), flags) != CURLUE_OK) {
    return std::nullopt;
  }
  std::string resolved = PartOf(url.get(), CURLUPART_URL);
  if (!ParseHttpUrl(resolved)) return std::nullopt;
  return resolved;
}

std::string WithHost(const std::string& url, const std::string& host) {
  const auto [begin, end] = AuthorityOf(url);
  const std::string authority = url.substr(begin, end - begin);
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  const std::string port = colon == std::string::npos ? "" : authority.substr(colon);
  return url.substr(0, begin) + Bracketed(host) + port + url.substr(end);
}

}  // namespace tributary
