#include "common/http/http_url.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>

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

}  // namespace

std::string HttpUrl::BracketedHost() const { return Bracketed(host); }

std::optional<HttpUrl> ParseHttpUrl(const std::string& text) {
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
