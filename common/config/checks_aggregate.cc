// The options of aggregates at the edge and of down-sampling.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "common/base/units.h"
#include "common/config/checks.h"
#include "common/config/suggest.h"
#include "common/relabel/relabel.h"
#include "common/selector/series_selector.h"

namespace tributary {

namespace {

using std::chrono::milliseconds;

constexpr int64_t kIntervalMinMs = 1000;
// Of a window or of the time without samples. What is kept of an aggregate grows with it.
constexpr int64_t kIntervalsMax = 1000;
// That wait for late samples at a time.
constexpr int64_t kLateIntervalsMax = 100;

constexpr AggregateOutput kOutputs[] = {
    AggregateOutput::kSum,      AggregateOutput::kAvg,     AggregateOutput::kMin,
    AggregateOutput::kMax,      AggregateOutput::kCount,   AggregateOutput::kLast,
    AggregateOutput::kIncrease, AggregateOutput::kRateSum, AggregateOutput::kHistogramQuantile};

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

void CheckMatch(SectionValue& section, CheckContext& context) {
  for (const Value& item : section.Get("match").items) {
    if (!item.valid) continue;
    const auto selector = SeriesSelector::Parse(item.text);
    if (!selector) {
      context.Error(item, section,
                    Quoted(item.text) + " is no selector: " + selector.error().message);
    } else if (selector->matchers().empty()) {
      context.Error(item, section, Quoted(item.text) + " selects nothing");
    }
  }
}

void CheckGrouping(SectionValue& section, CheckContext& context) {
  const Value &by = section.Get("by"), &without = section.Get("without");
  if (by.given && without.given) {
    context.Error(without, section, "'by' and 'without' exclude each other");
  } else if (!by.given && !without.given && by.valid && without.valid) {
    context.Error(section, "'by' or 'without' is missing in tributary.aggregate",
                  "'by: []' makes one aggregate of all inputs, 'without: []' one of each");
  }
  for (const Value* labels : {&by, &without}) {
    std::set<std::string> names;
    for (const Value& item : labels->items) {
      if (item.text == kMetricName) {
        context.Error(item, section, "aggregates cannot be grouped by the metric's name",
                      "with 'outputs' those of each metric are apart, with 'record' they are not");
      } else if (!IsValidLabelName(item.text, NameValidation::kUtf8)) {
        context.Error(item, section, Quoted(item.text) + " is not a valid label name");
      } else if (!names.insert(item.text).second) {
        context.Error(item, section, Quoted(item.text) + " stands there twice");
      }
    }
  }
}

// Of the rule, those that could be read.
std::set<AggregateOutput> CheckOutputs(SectionValue& section, CheckContext& context) {
  std::set<AggregateOutput> found;
  const Value &outputs = section.Get("outputs"), &record = section.Get("record");
  if (!outputs.valid || !record.valid) return found;
  if (!outputs.items.empty() && !record.entries.empty()) {
    context.Error(record, section, "'outputs' and 'record' exclude each other",
                  "'record' names each output itself");
  } else if (outputs.items.empty() && record.entries.empty()) {
    context.Error(section, "'outputs' or 'record' is missing in tributary.aggregate");
  }
  for (const Value& item : outputs.items) {
    const auto output = ParseAggregateOutput(item.text);
    if (output && !found.insert(*output).second) {
      context.Error(item, section, Quoted(item.text) + " stands there twice");
    }
  }
  for (const auto& [name, value] : record.entries) {
    const auto output = ParseAggregateOutput(name);
    if (output) {
      found.insert(*output);
    } else {
      context.Error(value.key_line, value.key_column, Quoted(name) + " is not a valid output",
                    ChoiceHint(name, ListedValues(outputs.option->values)));
    }
    if (!IsValidMetricName(value.text, NameValidation::kUtf8)) {
      context.Error(value, section, Quoted(value.text) + " is not a valid metric name");
    }
  }
  return found;
}

void CheckTimes(SectionValue& section, const std::set<AggregateOutput>& outputs,
                CheckContext& context) {
  const Value &interval = section.Get("interval"), &window = section.Get("window"),
              &late = section.Get("late"), &staleness = section.Get("staleness_interval");
  if (!interval.valid) return;
  if (interval.integer < kIntervalMinMs) {
    context.Error(interval, section, "'interval' has to be at least 1s");
    return;
  }
  const std::string of_interval = FormatDuration(interval.duration());
  if (window.valid && window.integer != 0) {
    const auto rises = {AggregateOutput::kIncrease, AggregateOutput::kRateSum,
                        AggregateOutput::kHistogramQuantile};
    if (window.integer % interval.integer != 0) {
      context.Error(window, section,
                    "'window' has to be a multiple of the interval (" + of_interval + ")");
    } else if (window.integer / interval.integer > kIntervalsMax) {
      context.Error(window, section, "'window' has more than 1000 intervals");
    } else if (std::none_of(rises.begin(), rises.end(),
                            [&](AggregateOutput output) { return outputs.contains(output); })) {
      context.Error(window, section,
                    "'window' is for increase, rate_sum and histogram_quantile only");
    }
  }
  if (late.valid && late.integer / interval.integer > kLateIntervalsMax) {
    context.Error(late, section, "'late' is more than 100 intervals");
  }
  if (staleness.valid && staleness.integer / interval.integer > kIntervalsMax) {
    context.Error(staleness, section, "'staleness_interval' is more than 1000 intervals");
  }
}

void CheckQuantile(SectionValue& section, const std::set<AggregateOutput>& outputs,
                   CheckContext& context) {
  const Value& quantile = section.Get("quantile");
  const bool wanted = outputs.contains(AggregateOutput::kHistogramQuantile);
  if (wanted && !quantile.given) {
    context.Error(section, "'quantile' is missing: histogram_quantile needs to know which");
  } else if (!wanted && quantile.given) {
    context.Error(quantile, section, "'quantile' is for histogram_quantile only");
  } else if (quantile.given && quantile.valid && !(quantile.real >= 0 && quantile.real <= 1)) {
    context.Error(quantile, section, "'quantile' has to be from 0 to 1");
  }
  if (!wanted) return;
  for (const char* labels : {"by", "without"}) {
    for (const Value& item : section.Get(labels).items) {
      if (item.text != "le") continue;
      context.Error(item, section, "histogram_quantile takes the buckets (label 'le') by itself");
    }
  }
  if (outputs.size() == 1) return;
  context.Error(section, "histogram_quantile cannot be made beside other outputs",
                "make two rules of it: the others are of each bucket");
}

}  // namespace

const char* AggregateOutputName(AggregateOutput output) {
  switch (output) {
    case AggregateOutput::kSum:
      return "sum";
    case AggregateOutput::kAvg:
      return "avg";
    case AggregateOutput::kMin:
      return "min";
    case AggregateOutput::kMax:
      return "max";
    case AggregateOutput::kCount:
      return "count";
    case AggregateOutput::kLast:
      return "last";
    case AggregateOutput::kIncrease:
      return "increase";
    case AggregateOutput::kRateSum:
      return "rate_sum";
    case AggregateOutput::kHistogramQuantile:
      return "histogram_quantile";
  }
  return "";
}

std::optional<AggregateOutput> ParseAggregateOutput(const std::string& text) {
  for (const AggregateOutput output : kOutputs) {
    if (text == AggregateOutputName(output)) return output;
  }
  return std::nullopt;
}

void CheckAggregate(SectionValue& section, CheckContext& context) {
  CheckMatch(section, context);
  CheckGrouping(section, context);
  const std::set<AggregateOutput> outputs = CheckOutputs(section, context);
  CheckTimes(section, outputs, context);
  CheckQuantile(section, outputs, context);
}

void CheckDownsample(SectionValue& section, CheckContext& context) { CheckMatch(section, context); }

// Two rules whose series have the same names would write into each other's.
void CheckTributary(SectionValue& section, CheckContext& context) {
  std::map<std::string, int> records;  // to the line
  for (const SectionValue& rule : section.Get("aggregate").sections) {
    for (const auto& [output, name] : rule.Get("record").entries) {
      const auto [first, added] = records.emplace(name.text, name.line);
      if (added) continue;
      context.Error(name, rule, "there are two aggregates named " + Quoted(name.text),
                    "the other one is in line " + std::to_string(first->second));
    }
  }
}

}  // namespace tributary
