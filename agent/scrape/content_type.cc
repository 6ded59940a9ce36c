#include "agent/scrape/content_type.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace tributary {

namespace {

constexpr std::string_view kText = "text/plain";
constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
constexpr std::string_view kProtobuf = "application/vnd.google.protobuf";

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool IsTokenByte(char c) {
  return std::isgraph(static_cast<unsigned char>(c)) != 0 &&
         std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Reads "; name=value" after "; name=value".
class Parameters {
 public:
  explicit Parameters(std::string_view rest) : rest_(rest) {}

  // Whether they can be read to the end.
  bool Read() {
    while (true) {
      SkipBlanks();
      if (rest_.empty()) return true;
      if (!Take(';')) return false;
      SkipBlanks();
      if (rest_.empty()) return true;  // one that trails
      if (!ReadOne()) return false;
    }
  }
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  void SkipBlanks() {
    while (!rest_.empty() && IsBlank(rest_.front())) rest_.remove_prefix(1);
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view Token() {
    size_t size = 0;
    while (size < rest_.size() && IsTokenByte(rest_[size])) size++;
    const std::string_view token = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return token;
  }
  std::optional<std::string> QuotedText() {
    std::string text;
    for (size_t i = 1; i < rest_.size(); i++) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] == '\r' || rest_[i] == '\n') break;
      const bool escapes = rest_[i] == '\\' && i + 1 < rest_.size() && !IsTokenByte(rest_[i + 1]) &&
                           std::isgraph(static_cast<unsigned char>(rest_[i + 1])) != 0;
      text += rest_[escapes ? ++i : i];
    }
    return std::nullopt;
  }
  bool ReadOne() {
    const std::string name = Lower(Token());
    if (name.empty()) return false;
    SkipBlanks();
    if (!Take('=')) return false;
    SkipBlanks();
    std::string value;
    if (!rest_.empty() && rest_.front() == '"') {
      std::optional<std::string> text = QuotedText();
      if (!text) return false;
      value = std::move(*text);
    } else {
      value = Token();
      if (value.empty()) return false;
    }
    // The same twice is allowed if it says the same.
    return values_.emplace(name, value).first->second == value;
  }

  std::string_view rest_;
  std::map<std::string, std::string> values_;
};

bool IsMediaType(std::string_view type) {
  const size_t slash = type.find('/');
  const auto is_token = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenByte);
  };
  return is_token(type.substr(0, slash)) &&
         (slash == std::string_view::npos || is_token(type.substr(slash + 1)));
}

// What stands in the header, or what is wrong with it.
Result<PageFormat> FormatOf(std::string_view content_type) {
  if (content_type.empty()) return Fail("the target sends no Content-Type");
  const std::string_view shown = content_type.substr(0, 100);
  const size_t semicolon = std::min(content_type.find(';'), content_type.size());
  std::string_view base = content_type.substr(0, semicolon);
  while (!base.empty() && IsBlank(base.front())) base.remove_prefix(1);
  while (!base.empty() && IsBlank(base.back())) base.remove_suffix(1);
  const std::string type = Lower(base);
  Parameters parameters(content_type.substr(semicolon));
  if (!IsMediaType(type) || !parameters.Read()) {
    return Fail(fmt::format("the target sends a Content-Type that makes no sense, \"{}\"", shown));
  }
  const auto version = parameters.values().find("version");
  if (type == kOpenMetrics && version != parameters.values().end() && version->second == "2.0.0") {
    return Fail("the target sends OpenMetrics 2.0, which is not read");
  }
  if (type == kText) return PageFormat::kPrometheusText;
  if (type == kOpenMetrics) return PageFormat::kOpenMetrics;
  if (type == kProtobuf) return PageFormat::kProtobuf;
  return Fail(fmt::format("the target sends the unknown Content-Type \"{}\"", shown));
}

}  // namespace

std::string_view MediaTypeOf(std::string_view protocol) {
  if (protocol == "PrometheusProto") {
    return "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
           "encoding=delimited";
  }
  if (protocol == "OpenMetricsText0.0.1") return "application/openmetrics-text;version=0.0.1";
  if (protocol == "OpenMetricsText1.0.0") return "application/openmetrics-text;version=1.0.0";
  if (protocol == "PrometheusText1.0.0") return "text/plain;version=1.0.0";
  return "text/plain;version=0.0.4";
}

Result<PageFormat> FormatOfPage(std::string_view content_type,
                                const std::string& fallback_protocol) {
  Result<PageFormat> format = FormatOf(content_type);
  if (format) return format;
  if (!fallback_protocol.empty()) return FormatOf(MediaTypeOf(fallback_protocol));
  return Fail(format.error().message + "; set fallback_scrape_protocol for this job");
}

}  // namespace tributary
