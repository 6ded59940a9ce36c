#include "agent/federate/federate_query.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "common/base/unicode.h"
#include "common/http/query.h"

namespace tributary {
namespace {

// In the words of Go's url.ParseQuery.
tl::unexpected<Error> FormError(std::string_view message) {
  return Fail(fmt::format("error parsing form values: {}", message));
}

std::string BrokenEscape(std::string_view text) {
  for (size_t at = text.find('%'); at < text.size(); at = text.find('%', at + 1)) {
    const std::string_view escape = text.substr(at, 3);
    const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
    if (escape.size() == 3 && is_hex(escape[1]) && is_hex(escape[2])) continue;
    std::string quoted;
    AppendQuoted(escape, quoted);
    return "invalid URL escape " + quoted;
  }
  return "";
}

}  // namespace

Result<std::vector<SeriesSelector>> ParseMatches(std::string_view query) {
  std::vector<std::string> matches;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    if (pair.find(';') != std::string_view::npos) {
      return FormError("invalid semicolon separator in query");
    }
    const size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    const auto name = UnescapeBytes(pair.substr(0, equals), true);
    if (!name) return FormError(BrokenEscape(pair.substr(0, equals)));
    auto text = UnescapeBytes(value, true);
    if (!text) return FormError(BrokenEscape(value));
    if (*name == "match[]") matches.push_back(*std::move(text));
  }
  std::vector<SeriesSelector> selectors;
  for (const std::string& match : matches) {
    auto selector = SeriesSelector::Parse(match);
    if (!selector) return tl::unexpected(std::move(selector.error()));
    selectors.push_back(std::move(*selector));
  }
  return selectors;
}

}  // namespace tributary
