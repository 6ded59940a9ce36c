#include "common/http_client/proxy_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <utility>

#include "common/config/url.h"

namespace tributary {

namespace {

constexpr std::string_view kV4Prefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

std::string TrimmedLower(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  std::string out(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::optional<IpAddress> ParseIp(const std::string& text) {
  IpAddress address{};
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  std::memcpy(address.data(), kV4Prefix.data(), kV4Prefix.size());
  if (inet_pton(AF_INET, text.c_str(), address.data() + kV4Prefix.size()) == 1) return address;
  return std::nullopt;
}

bool SamePrefix(const IpAddress& a, const IpAddress& b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()))
    return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff00 >> (bits % 8));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

bool IsLoopback(const IpAddress& address) {
  const IpAddress v4 = *ParseIp("127.0.0.0"), v6 = *ParseIp("::1");
  return SamePrefix(address, v4, 104) || address == v6;
}

template <typename T>
std::optional<T> Number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const char* DefaultPort(const std::string& scheme) {
  if (scheme == "http") return "80";
  return scheme == "https" ? "443" : "1080";
}

std::string Variable(const ProxyRules::Getenv& getenv, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

}  // namespace

ProxyRules::ProxyRules(const ProxyConfig& config, const Getenv& getenv) {
  if (config.proxy_from_environment) {
    // A CGI program's HTTP_PROXY is the header Proxy of whoever asks.
    const bool cgi = !Variable(getenv, {"REQUEST_METHOD"}).empty();
    if (!cgi) for_http_ = Make(config, Variable(getenv, {"http_proxy", "HTTP_PROXY"}), true);
    for_https_ = Make(config, Variable(getenv, {"https_proxy", "HTTPS_PROXY"}), true);
    has_exceptions_ = true;
    ReadExceptions(Variable(getenv, {"no_proxy", "NO_PROXY"}));
  } else if (!config.proxy_url.empty()) {
    has_exceptions_ = !config.no_proxy.empty();
    for_http_ = for_https_ = Make(config, config.proxy_url, has_exceptions_);
    ReadExceptions(config.no_proxy);
  }
}

std::shared_ptr<const HttpProxy> ProxyRules::Make(const ProxyConfig& config,
                                                  const std::string& text, bool guess_scheme) {
  if (text.empty()) return nullptr;
  Result<UrlParts> url = ParseUrl(text);
  if (guess_scheme && (!url || url->scheme.empty() || url->host.empty())) {
    url = ParseUrl("http://" + text);
  }
  const bool known = url && (url->scheme == "http" || url->scheme == "https" ||
                             url->scheme == "socks5" || url->scheme == "socks5h");
  if (!known || url->host.empty()) {
    error_ = "the proxy cannot be used: it has to be a URL of http, https, socks5 or socks5h";
    return nullptr;
  }
  HttpProxy proxy;
  // As Go, which leaves the look-up to the proxy in either case.
  proxy.url = url->scheme.starts_with("socks5") ? "socks5h" : url->scheme;
  proxy.url += "://";
  if (!url->userinfo.empty()) proxy.url += url->userinfo + "@";
  proxy.url += url->host;
  const size_t bracket = url->host.rfind(']');
  const size_t colon = url->host.find(':', bracket == std::string::npos ? 0 : bracket);
  if (colon == std::string::npos) {
    proxy.url += std::string(":") + DefaultPort(url->scheme);
  } else if (colon + 1 == url->host.size()) {
    proxy.url += DefaultPort(url->scheme);
  }
  for (const auto& [name, values] : config.proxy_connect_header) {
    for (const Secret& value : values) proxy.connect_headers.push_back({name, value.value});
  }
  return std::make_shared<const HttpProxy>(std::move(proxy));
}

void ProxyRules::ReadExceptions(std::string_view list) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string entry = TrimmedLower(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (entry == "*") {
      all_excepted_ = true;
    } else if (!entry.empty()) {
      ReadException(entry);
    }
  }
}

// What makes no sense is passed over.
void ProxyRules::ReadException(std::string_view text) {
  Exception exception;
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string base(text.substr(0, slash));
    const std::optional<IpAddress> address = ParseIp(base);
    const std::optional<unsigned> bits = Number<unsigned>(text.substr(slash + 1));
    const bool v4 = base.find(':') == std::string::npos;
    if (address && bits && *bits <= (v4 ? 32U : 128U)) {
      exception.address = *address;
      exception.prefix = static_cast<int>(*bits) + (v4 ? 96 : 0);
      exceptions_.push_back(exception);
      return;
    }
  }
  std::string host(text);
  const size_t colon = text.rfind(':');
  const bool bracketed = text.front() == '[';
  const bool has_port = colon != std::string_view::npos &&
                        (bracketed ? colon > 0 && text[colon - 1] == ']' : text.find(':') == colon);
  if (has_port) {
    host = text.substr(0, colon);
    if (bracketed) host = host.substr(1, host.size() - 2);
    const std::string_view port = text.substr(colon + 1);
    if (!port.empty()) {
      exception.port = Number<uint16_t>(port);
      if (!exception.port) return;  // a port that no URL has
    }
  }
  if (host.empty()) return;
  if (const std::optional<IpAddress> address = ParseIp(host)) {
    exception.address = *address;
  } else {
    if (host.starts_with("*.")) host.erase(0, 1);
    exception.itself = host.front() != '.';
    exception.name = exception.itself ? "." + host : host;
  }
  exceptions_.push_back(std::move(exception));
}

bool ProxyRules::IsException(const HttpUrl& url) const {
  if (!has_exceptions_) return false;
  if (url.host == "localhost" || all_excepted_) return true;
  const std::optional<IpAddress> address = ParseIp(url.host);
  if (address && IsLoopback(*address)) return true;
  return std::any_of(exceptions_.begin(), exceptions_.end(), [&](const Exception& exception) {
    if (exception.port && *exception.port != url.port) return false;
    if (exception.name.empty()) {
      return address && SamePrefix(*address, exception.address, exception.prefix);
    }
    if (address) return false;
    return url.host.ends_with(exception.name) ||
           (exception.itself && url.host == std::string_view(exception.name).substr(1));
  });
}

Result<std::shared_ptr<const HttpProxy>> ProxyRules::For(const std::string& text) const {
  if (empty()) return nullptr;
  if (!error_.empty()) return Fail(error_);
  const std::optional<HttpUrl> url = ParseHttpUrl(text);
  if (!url) return nullptr;  // for the transport to refuse
  const std::shared_ptr<const HttpProxy>& proxy = url->https ? for_https_ : for_http_;
  if (proxy == nullptr || IsException(*url)) return nullptr;
  return proxy;
}

}  // namespace tributary
