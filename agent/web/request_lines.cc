#include "agent/web/request_lines.h"

#include <strings.h>

#include <algorithm>

#include "common/base/trim.h"

namespace tributary {
namespace {

std::string_view TakeUntil(std::string_view& text, std::string_view separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + separator.size(), text.size()));
  return part;
}

}  // namespace

RequestLine ParseRequestLine(std::string_view head) {
  std::string_view line = TakeUntil(head, "\r\n");
  RequestLine request;
  request.method = TakeUntil(line, " ");
  request.query = TakeUntil(line, " ");
  request.path = TakeUntil(request.query, "?");
  request.version = line;
  return request;
}

std::string_view HeaderOf(std::string_view head, std::string_view name) {
  TakeUntil(head, "\r\n");
  while (!head.empty()) {
    std::string_view value = TakeUntil(head, "\r\n");
    const std::string_view key = TakeUntil(value, ":");
    if (key.size() != name.size() || strncasecmp(key.data(), name.data(), name.size()) != 0) {
      continue;
    }
    return Trim(value);
  }
  return {};
}

}  // namespace tributary
