#include "agent/web/write_head.h"

#include <charconv>
#include <optional>
#include <vector>

#include "common/http/response_reader.h"

namespace tributary {

namespace {

constexpr std::string_view kWriteLine = "POST /api/v1/write";

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

bool IsWrite(std::string_view head) {
  if (!head.starts_with(kWriteLine) || head.size() == kWriteLine.size()) return false;
  const char next = head[kWriteLine.size()];
  return next == ' ' || next == '?';
}

WriteHead ParseWriteHead(std::string_view head) {
  WriteHead parsed;
  const std::string_view first = head.substr(0, head.find("\r\n"));
  if (first.ends_with(" HTTP/1.0")) {
    parsed.keeps_alive = false;
  } else if (!first.ends_with(" HTTP/1.1")) {
    parsed.error = 400;
  }
  std::vector<HttpHeader> fields;
  for (size_t begin = first.size() + 2; begin < head.size();) {
    const size_t end = std::min(head.find("\r\n", begin), head.size());
    AddHeaderLine(head.substr(begin, end - begin), fields);
    begin = end + 2;
  }
  std::optional<std::string_view> length;
  for (const HttpHeader& field : fields) {
    if (SameHeaderName(field.name, "Content-Length")) {
      const std::optional<uint64_t> number = Number(field.value);
      if (!number || (length && *length != field.value)) parsed.error = 400;
      length = field.value;
      parsed.content_length = number.value_or(0);
    } else if (SameHeaderName(field.name, "Transfer-Encoding")) {
      if (parsed.error == 0) parsed.error = 411;
    } else if (SameHeaderName(field.name, "Connection")) {
      if (SameHeaderName(field.value, "close")) parsed.keeps_alive = false;
    } else if (SameHeaderName(field.name, "Expect")) {
      parsed.expects_continue = SameHeaderName(field.value, "100-continue");
    } else if (SameHeaderName(field.name, "Content-Type")) {
      parsed.content_type = field.value;
    } else if (SameHeaderName(field.name, "Content-Encoding")) {
      parsed.content_encoding = field.value;
    }
  }
  if (!length && parsed.error == 0) parsed.error = 411;
  return parsed;
}

}  // namespace tributary
