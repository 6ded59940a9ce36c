#include "common/http/request_head.h"

#include <algorithm>
#include <string_view>

namespace tributary {

bool HeadersAreSendable(const std::vector<HttpHeader>& headers) {
  constexpr std::string_view kBreaks("\r\n\0", 3);
  return std::all_of(headers.begin(), headers.end(), [&](const HttpHeader& header) {
    return !header.name.empty() && header.name.find_first_of(": \t") == std::string::npos &&
           header.name.find_first_of(kBreaks) == std::string::npos &&
           header.value.find_first_of(kBreaks) == std::string::npos;
  });
}

std::optional<std::string> RequestHead(const HttpRequest& request, const HttpUrl& url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = request.url;
  if (!rest.starts_with(kScheme)) return std::nullopt;
  rest.remove_prefix(kScheme.size());
  if (!rest.starts_with(url.authority)) return std::nullopt;
  rest.remove_prefix(url.authority.size());
  rest = rest.substr(0, rest.find('#'));
  const bool is_target =
      (rest.empty() || rest.front() == '/' || rest.front() == '?') &&
      std::all_of(rest.begin(), rest.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!is_target || !HeadersAreSendable(request.headers)) return std::nullopt;
  std::string head;
  head.reserve(512);
  head.append(request.method).append(rest.starts_with('/') ? " " : " /").append(rest);
  head.append(" HTTP/1.1\r\n");
  if (FindHeader(request.headers, "Host").empty()) {
    head.append("Host: ").append(url.authority).append("\r\n");
  }
  for (const HttpHeader& header : request.headers) {
    head.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  if (request.body != nullptr || request.method == "POST") {
    const size_t size = request.body != nullptr ? request.body->size() : 0;
    head.append("Content-Length: ").append(std::to_string(size)).append("\r\n");
  }
  head.append("\r\n");
  return head;
}

}  // namespace tributary
