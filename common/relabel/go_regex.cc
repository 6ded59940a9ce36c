#include "common/relabel/go_regex.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace tributary {
namespace {

// RE2's default; memory is taken as needed, for the program and the cache of DFA states.
constexpr int64_t kMemoryBytes = 8 << 20;
// For the few large alternations that the default has no room for, as Go would take them.
constexpr int64_t kMemoryBytesMax = 128 << 20;

// The length of the character class that starts the text; to its end if it is not closed.
size_t ClassLength(std::string_view text) {
  size_t at = 1;
  if (at < text.size() && text[at] == '^') ++at;
  if (at < text.size() && text[at] == ']') ++at;
  while (at < text.size() && text[at] != ']') {
    size_t posix_end = std::string_view::npos;
    if (text.substr(at).starts_with("[:")) posix_end = text.find(":]", at + 2);
    if (posix_end != std::string_view::npos) {
      at = posix_end + 2;
    } else {
      at += text[at] == '\\' ? 2 : 1;
    }
  }
  return std::min(at + 1, text.size());
}

// The length of the escape that starts the text: \Q up to \E, else two bytes.
size_t EscapeLength(std::string_view text) {
  if (!text.starts_with("\\Q")) return std::min<size_t>(2, text.size());
  size_t end = text.find("\\E", 2);
  return end == std::string_view::npos ? text.size() : end + 2;
}

Result<std::string> FromGoSyntax(std::string_view regex) {
  std::string out;
  while (!regex.empty()) {
    size_t length = 1;
    if (regex[0] == '\\') {
      if (regex.starts_with("\\C")) return Fail("invalid escape sequence: \\C");
      length = EscapeLength(regex);
    } else if (regex[0] == '[') {
      length = ClassLength(regex);
    } else if (regex.starts_with("(?<")) {
      out += "(?P<";
      regex.remove_prefix(3);
      continue;
    }
    out += regex.substr(0, length);
    regex.remove_prefix(length);
  }
  return out;
}

std::unique_ptr<re2::RE2> Compile(const std::string& pattern, int64_t memory_bytes) {
  re2::RE2::Options options;  // UTF-8, Perl classes and leftmost-first by default
  options.set_log_errors(false);
  options.set_max_mem(memory_bytes);
  return std::make_unique<re2::RE2>(pattern, options);
}

}  // namespace

Result<std::unique_ptr<re2::RE2>> CompileGoRegex(const std::string& regex) {
  Result<std::string> translated = FromGoSyntax(regex);
  if (!translated) return tl::unexpected<Error>(std::move(translated.error()));
  std::string pattern = "^(?s:" + *translated + ")$";
  std::unique_ptr<re2::RE2> compiled = Compile(pattern, kMemoryBytes);
  if (compiled->error_code() == re2::RE2::ErrorPatternTooLarge) {
    compiled = Compile(pattern, kMemoryBytesMax);
  }
  if (!compiled->ok()) return Fail(compiled->error());
  return compiled;
}

}  // namespace tributary
