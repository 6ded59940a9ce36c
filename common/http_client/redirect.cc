#include "common/http_client/redirect.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace tributary {

namespace {

void Drop(HttpRequest& request, std::initializer_list<std::string_view> names) {
  std::erase_if(request.headers, [&](const HttpHeader& header) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return SameHeaderName(header.name, name); });
  });
}

}  // namespace

bool IsRedirect(const HttpResponseHead& head) {
  const int status = head.status;
  const bool followed = (status >= 301 && status <= 303) || status == 307 || status == 308;
  return followed && !head.Header("Location").empty();
}

void MakeNext(HttpRequest& request, int status, std::string url) {
  request.url = std::move(url);
  if (status > 303) return;
  if (request.method != "HEAD") request.method = "GET";
  request.body = nullptr;
  Drop(request, {"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"});
}

void DropCredentials(HttpRequest& request) {
  Drop(request, {"Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "Proxy-Authenticate",
                 "WWW-Authenticate"});
}

bool IsSameOrBelow(std::string_view host, std::string_view first) {
  if (first.empty()) return false;
  if (host == first) return true;
  // Addresses have nothing below them, and a zone must not look like a name.
  if (host.find_first_of(":%") != std::string_view::npos) return false;
  return host.size() > first.size() && host.ends_with(first) &&
         host[host.size() - first.size() - 1] == '.';
}

}  // namespace tributary
