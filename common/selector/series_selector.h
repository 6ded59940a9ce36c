// A selector of series, as Prometheus' /federate takes it in match[]: up{job="node"},
// {__name__=~"node_.*",cluster!=""}, {"http.requests","service.name"="a"}.
//
// Syntax and messages follow ParseMetricSelector of prometheus 3.16 (promql/parser): names that are
// no classic ones in quotes, strings in "", '' and ``, keywords as metric names, comments. Regexes
// are RE2 in Go's dialect, and must match the whole value; a label that is not there is "".
//
// Immutable: any thread may match. A parse costs what its text costs: no recursion.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/labels/labels.h"
#include "common/relabel/matcher.h"

namespace tributary {

class LabelMatcher {
 public:
  enum class Type : uint8_t { kEqual, kNotEqual, kMatches, kNotMatches };

  // The error is the one of the regex, in the words of Go's regexp.
  static Result<LabelMatcher> Make(Type type, std::string name, std::string value);

  const std::string& name() const { return name_; }
  bool Matches(std::string_view value) const;

 private:
  LabelMatcher(Type type, std::string name, std::string value);

  Type type_;
  std::string name_;
  std::string value_;
  std::optional<Matcher> regex_;
};

class SeriesSelector {
 public:
  // The error reads as Prometheus': "1:5: parse error: unexpected end of input inside braces".
  static Result<SeriesSelector> Parse(std::string_view text);

  // Names are unique. A selector without any matcher selects nothing, as in Prometheus.
  bool Matches(std::span<const LabelView> labels) const;
  const std::vector<LabelMatcher>& matchers() const { return matchers_; }

 private:
  std::vector<LabelMatcher> matchers_;
};

}  // namespace tributary
