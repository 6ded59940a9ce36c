#include "common/relabel/regex_error.h"

#include <string_view>

#include <fmt/format.h>

#include "common/relabel/go_regex.h"

namespace tributary {
namespace {

std::string_view GoMessage(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass:
      return "invalid character class";
    case re2::RE2::ErrorBadCharRange:
      return "invalid character class range";
    case re2::RE2::ErrorMissingBracket:
      return "missing closing ]";
    case re2::RE2::ErrorMissingParen:
      return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "regexp/syntax: internal error";
  }
}

}  // namespace

std::optional<std::string> RegexError(const std::string& regex) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 alone(regex, options);
  const auto code = alone.error_code();
  const auto error = [](std::string_view message, std::string_view where) {
    return fmt::format("error parsing regexp: {}: `{}`", message, where);
  };
  if (code == re2::RE2::ErrorUnexpectedParen) return error(GoMessage(code), regex);
  // Anybody may ask: nothing is compiled here that would take more memory than the default.
  if (code == re2::RE2::ErrorPatternTooLarge) return error(GoMessage(code), regex);
  // It knows groups that are named as in Go.
  if (CompileGoRegex(regex)) return std::nullopt;
  if (alone.ok()) {
    // What Go refuses, and RE2 does not.
    return error(GoMessage(re2::RE2::ErrorBadEscape), "\\C");
  }
  if (const size_t named = regex.find("(?<");
      named != std::string::npos && code == re2::RE2::ErrorBadPerlOp) {
    return error(GoMessage(re2::RE2::ErrorBadNamedCapture), std::string_view(regex).substr(named));
  }
  return error(GoMessage(code), alone.error_arg());
}

}  // namespace tributary
