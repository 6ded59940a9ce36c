// Reads a page of text format 0.0.4 as strictly as its description allows: an oracle for /metrics.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tributary {

struct MetricFamily {
  std::string type;
  std::string help;
  std::map<std::string, double> series;  // by text, as `name{label="x"}`
};

struct CheckedPage {
  std::map<std::string, MetricFamily> families;
  std::string error;  // the first thing that is wrong; "" if nothing is
};

// Every family has HELP and TYPE before its samples and stands in one piece; names, labels and
// values are well-formed; no series comes twice; counters are not negative and end in _total;
// histograms have growing buckets that end in +Inf, and a _count that agrees.
CheckedPage CheckMetricPage(std::string_view page);

}  // namespace tributary
