#include "common/exposition/raw_series.h"

#include <optional>
#include <utility>

#include "common/exposition/float_text.h"
#include "common/exposition/series_labels.h"

namespace tributary {
namespace {

std::string CanonicalValue(std::string_view type, std::string_view name, std::string value) {
  if ((type == "histogram" && name == "le") || (type == "summary" && name == "quantile")) {
    if (const std::optional<double> number = ParseGoFloat(value)) {
      return FormatOpenMetricsFloat(*number);
    }
  }
  return value;
}

}  // namespace

std::string UnescapeLabelText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == '"' || next == '\\' || next == 'n')) {
      out += next == 'n' ? '\n' : next;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

Result<Labels> ResolveSeries(const RawSeries& raw, std::string_view series, std::string_view type,
                             std::vector<std::string>* emptied) {
  std::vector<Label> labels;
  labels.reserve(raw.labels.size() + 1);
  labels.push_back({std::string(kMetricName), UnescapeLabelText(raw.name)});
  for (const RawLabel& label : raw.labels) {
    std::string name = UnescapeLabelText(label.name);
    std::string value = CanonicalValue(type, name, UnescapeLabelText(label.value));
    labels.push_back({std::move(name), std::move(value)});
  }
  Result<Labels> unique = UniqueLabels(std::move(labels), emptied);
  if (!unique) return Fail(unique.error().message + ": " + Printable(series.substr(0, 200)));
  return unique;
}

}  // namespace tributary
