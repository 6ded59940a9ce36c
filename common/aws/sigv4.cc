#include "common/aws/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <map>
#include <optional>
#include <utility>

#include "common/base/assert.h"
#include "common/http/http_url.h"
#include "common/http/query.h"

namespace tributary {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string Sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) != nullptr);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

// "20150830T123600Z"
std::string AmzDate(TimestampMs now) {
  const auto second = static_cast<time_t>(now / 1000);
  struct tm utc {};
  gmtime_r(&second, &utc);
  std::array<char, 32> text{};
  return {text.data(), strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc)};
}

// Where the parts of a URL stand; all are views of it.
struct UrlParts {
  std::string_view before;  // scheme and authority
  std::string_view path;
  std::string_view query;
};

UrlParts Split(std::string_view url) {
  url = url.substr(0, url.find('#'));
  const size_t authority = url.find("://") + 3;
  const size_t path = std::min(url.find_first_of("/?", authority), url.size());
  const size_t query = std::min(url.find('?', path), url.size());
  return {url.substr(0, path), url.substr(path, query - path),
          url.substr(std::min(query + 1, url.size()))};
}

// As Go's path.Clean, with the slash at the end kept. Of a path that begins with a slash.
std::string CleanPath(std::string_view path) {
  std::vector<std::string_view> segments;
  const bool slash = path.ends_with('/');
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  std::string clean;
  for (const std::string_view segment : segments) clean.append("/").append(segment);
  if (slash || clean.empty()) clean += '/';
  return clean;
}

// Whether Go's net/url keeps the escapes of a path as they are.
bool IsEscapedPath(std::string_view path) {
  return std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 ||
                        std::string_view("-._~!$&'()*+,;=:@[]%/").find(static_cast<char>(c)) !=
                            std::string_view::npos);
  });
}

std::string NormalPath(std::string_view path) {
  if (path.empty()) return "";
  const std::optional<std::string> decoded = UnescapeBytes(path, false);
  if (!decoded) return std::string(path);
  const std::string clean = CleanPath(*decoded);
  if (clean == *decoded && IsEscapedPath(path)) return std::string(path);
  return EscapeBytes(clean, "$&+,/:;=@");
}

// A part that Go's net/url cannot read is left out, as there.
std::string NormalQuery(std::string_view query) {
  std::map<std::string, std::vector<std::string>> values;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    auto name = UnescapeBytes(pair.substr(0, equals), true);
    auto value = UnescapeBytes(pair.substr(std::min(equals + 1, pair.size())), true);
    if (name && value) values[*std::move(name)].push_back(*std::move(value));
  }
  for (auto& [name, list] : values) std::sort(list.begin(), list.end());
  std::string text = EncodeQuery(values);
  for (size_t at = text.find('+'); at != std::string::npos; at = text.find('+', at)) {
    text.replace(at, 1, "%20");
  }
  return text;
}

// What Host says: without the scheme's own port.
std::string HostToSign(const HttpUrl& url) {
  std::string host = url.authority;
  const std::string_view usual = url.https ? ":443" : ":80";
  if (host.ends_with(usual)) host.resize(host.size() - usual.size());
  return host;
}

bool IsNeverSigned(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {
      "Authorization",   "User-Agent",    "Expect",         "Transfer-Encoding",
      "X-Amzn-Trace-Id", "Uber-Trace-Id", "Content-Length", "Host"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [name](std::string_view other) { return SameHeaderName(name, other); });
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Without spaces at the ends; one for several inside.
std::string TrimValue(std::string_view value) {
  const char* blank = " \t\r\n";
  const size_t begin = value.find_first_not_of(blank);
  if (begin == std::string_view::npos) return "";
  value = value.substr(begin, value.find_last_not_of(blank) + 1 - begin);
  std::string out;
  for (const char c : value) {
    if (c != ' ' || out.back() != ' ') out += c;
  }
  return out;
}

// Lower-case names and the values to sign.
std::map<std::string, std::string> HeadersToSign(const HttpRequest& request,
                                                 const std::vector<std::string>& names,
                                                 const std::string& host) {
  std::map<std::string, std::string> headers = {{"host", TrimValue(host)}};
  if (request.body != nullptr && !request.body->empty()) {
    headers["content-length"] = std::to_string(request.body->size());
  }
  for (const HttpHeader& header : request.headers) {
    const bool wanted = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return SameHeaderName(name, header.name);
    });
    if (!wanted || IsNeverSigned(header.name)) continue;
    const auto [place, made] = headers.emplace(Lower(header.name), "");
    place->second += (made ? "" : ",") + TrimValue(header.value);
  }
  return headers;
}

}  // namespace

std::string NormalUrl(const std::string& url) {
  const UrlParts parts = Split(url);
  std::string normal = std::string(parts.before) + NormalPath(parts.path);
  if (const std::string query = NormalQuery(parts.query); !query.empty()) normal += "?" + query;
  return normal;
}

void SignRequest(HttpRequest& request, const std::vector<std::string>& names,
                 const AwsCredentials& credentials, const SigningScope& scope, TimestampMs now) {
  const std::optional<HttpUrl> url = ParseHttpUrl(request.url);
  if (!url) return;
  if (!scope.path_as_is) request.url = NormalUrl(request.url);
  const UrlParts parts = Split(request.url);

  const std::string date = AmzDate(now);
  std::erase_if(request.headers, [](const HttpHeader& header) {
    return SameHeaderName(header.name, "Authorization") ||
           SameHeaderName(header.name, "X-Amz-Date") ||
           SameHeaderName(header.name, "X-Amz-Security-Token");
  });
  std::vector<std::string> all = names;
  const auto add = [&](const char* name, const std::string& value) {
    request.headers.push_back({name, value});
    all.emplace_back(name);
  };
  add("X-Amz-Date", date);
  if (!credentials.session_token.empty()) add("X-Amz-Security-Token", credentials.session_token);

  std::string lines, signed_names;
  for (const auto& [name, value] : HeadersToSign(request, all, HostToSign(*url))) {
    lines += name + ":" + value + "\n";
    signed_names += (signed_names.empty() ? "" : ";") + name;
  }
  // Escaped a second time, as all services but S3 want it.
  const std::string path = parts.path.empty() ? "/"
                           : scope.path_as_is ? std::string(parts.path)
                                              : EscapeBytes(parts.path, "/");
  const std::string canonical = request.method + "\n" + path + "\n" + std::string(parts.query) +
                                "\n" + lines + "\n" + signed_names + "\n" +
                                Hex(Sha256(request.body == nullptr ? "" : *request.body));

  const std::string day = date.substr(0, 8);
  const std::string scope_text = day + "/" + scope.region + "/" + scope.service + "/aws4_request";
  const std::string to_sign =
      std::string(kAlgorithm) + "\n" + date + "\n" + scope_text + "\n" + Hex(Sha256(canonical));
  std::string key = Hmac("AWS4" + credentials.secret_access_key, day);
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service),
        std::string_view("aws4_request")}) {
    key = Hmac(key, part);
  }
  request.headers.push_back({"Authorization", std::string(kAlgorithm) +
                                                  " Credential=" + credentials.access_key_id + "/" +
                                                  scope_text + ", SignedHeaders=" + signed_names +
                                                  ", Signature=" + Hex(Hmac(key, to_sign))});
}

}  // namespace tributary
