// Aggregates at the edge and down-sampling: Tributary's own. Words that vmagent's stream
// aggregation has too mean what they mean there, unless the text says otherwise.
#include "common/config/checks.h"
#include "common/config/options.h"

namespace tributary {

const Section& AggregateSection() {
  static const Section section{
      "tributary.aggregate",
      "A rule: series that are its inputs, and what is said of them at the end of each interval, "
      "by their samples' own times. Described in [aggregation.md](aggregation.md).",
      {
          {.name = "name",
           .doc = "How the agent's own metrics call the rule. Not given: a name of `record`, or "
                  "the first selector."},
          {.name = "match",
           .type = OptionType::kStrings,
           .doc =
               "Selectors as Prometheus has them; a series that one of them selects is an input. "
               "Labels are those before external_labels.",
           .required = true},
          {.name = "by",
           .type = OptionType::kStrings,
           .doc = "Labels that an aggregate has; inputs that are equal in them are one aggregate. "
                  "`[]`: all are one. Either this or `without` has to be there.",
           .empty_counts = true},
          {.name = "without",
           .type = OptionType::kStrings,
           .doc = "Labels that an aggregate does not have; it has all others. `[]`: each series is "
                  "one of its own.",
           .empty_counts = true},
          {.name = "interval",
           .type = OptionType::kDuration,
           .fallback = "1m",
           .doc = "How often there is a sample of the aggregate; intervals end at multiples of it. "
                  "At least 1s."},
          {.name = "window",
           .type = OptionType::kDuration,
           .doc =
               "Over how long `increase`, `rate_sum` and `histogram_quantile` are: a multiple of "
               "the interval. Not given: the interval."},
          {.name = "late",
           .type = OptionType::kDuration,
           .fallback = "10s",
           .doc = "How long after an interval's end samples for it are still taken; later ones are "
                  "counted and left out.",
           .shown = true},
          {.name = "staleness_interval",
           .type = OptionType::kDuration,
           .fallback = "5m",
           .doc = "How long an input counts with its last sample if no other comes and no marker "
                  "says that it has ended; an increase over a longer gap is none.",
           .positive = true},
          {.name = "inputs",
           .type = OptionType::kEnum,
           .fallback = "keep",
           .doc = "Whether the inputs themselves are sent too, or only what is made of them.",
           .values = "keep|drop"},
          {.name = "outputs",
           .type = OptionType::kEnums,
           .doc = "What is said of the inputs, by metrics named "
                  "`<name>:<interval>_by_<labels>_<output>`, of each metric apart. Either this or "
                  "`record` has to be there.",
           .values = "sum|avg|min|max|count|last|increase|rate_sum|histogram_quantile"},
          {.name = "record",
           .type = OptionType::kMap,
           .doc = "What is said of the inputs, as `outputs`, and the metric's name for each: "
                  "`rate_sum: cluster:cpu_usage:rate5m`. Inputs of several metrics are one "
                  "aggregate."},
          {.name = "quantile",
           .type = OptionType::kFloat,
           .doc = "Which one `histogram_quantile` is, from 0 to 1."},
      },
      CheckAggregate};
  return section;
}

const Section& DownsampleSection() {
  static const Section section{
      "tributary.downsample",
      "Of these series one sample is kept for each interval, the first; markers that a series has "
      "ended always are. Of several rules that select a series the first counts. Aggregates are "
      "made before.",
      {
          {.name = "match",
           .type = OptionType::kStrings,
           .doc = "Selectors as Prometheus has them.",
           .required = true},
          {.name = "interval",
           .type = OptionType::kDuration,
           .doc = "Intervals end at multiples of it.",
           .positive = true},
      },
      CheckDownsample};
  return section;
}

}  // namespace tributary
