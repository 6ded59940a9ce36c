#include "test/integration/metric_page_checker.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <regex>
#include <vector>

namespace tributary {

namespace {

const char kName[] = "[a-zA-Z_:][a-zA-Z0-9_:]*";

std::string HistogramError(const std::string& name, const MetricFamily& family) {
  static const std::regex kLe(R"re((.*?),?le="([^"]*)"(.*))re");
  std::map<std::string, std::map<double, double>> by_labels;
  for (const auto& [series, value] : family.series) {
    std::smatch match;
    if (series.rfind(name + "_bucket{", 0) != 0) continue;
    const std::string labels = series.substr(name.size() + 8, series.size() - name.size() - 9);
    if (!std::regex_match(labels, match, kLe)) return "a bucket without le: " + series;
    by_labels[match[1].str() + match[3].str()][std::atof(match[2].str().c_str())] = value;
  }
  if (by_labels.empty()) return "a histogram without buckets: " + name;
  for (const auto& [labels, buckets] : by_labels) {
    double last = 0;
    for (const auto& [le, count] : buckets) {
      if (count < last) return "buckets that shrink: " + name;
      last = count;
    }
    const std::string braces = labels.empty() ? "" : "{" + labels + "}";
    const auto count = family.series.find(name + "_count" + braces);
    if (count == family.series.end() || !family.series.contains(name + "_sum" + braces)) {
      return "no _count or _sum: " + name;
    }
    if (!std::isinf(buckets.rbegin()->first) || count->second != last) {
      return "_count is not the +Inf bucket: " + name;
    }
  }
  return "";
}

class Checker {
 public:
  CheckedPage Check(std::string_view page) {
    if (page.empty() || page.back() != '\n') return Fail("the page does not end in a newline");
    for (size_t begin = 0; begin < page.size();) {
      const size_t end = page.find('\n', begin);
      const std::string line(page.substr(begin, end - begin));
      if (std::string error = TakeLine(line); !error.empty()) return Fail(error + ": " + line);
      begin = end + 1;
    }
    for (const auto& [name, family] : page_.families) {
      if (family.series.empty()) return Fail("a family without samples: " + name);
      if (family.type != "histogram") continue;
      if (std::string error = HistogramError(name, family); !error.empty()) return Fail(error);
    }
    return std::move(page_);
  }

 private:
  CheckedPage Fail(std::string error) {
    page_.error = std::move(error);
    return std::move(page_);
  }

  std::string TakeLine(const std::string& line) {
    static const std::regex kHelp(std::string("# HELP (") + kName +
                                  R"re() ((?:[^\\]|\\\\|\\n)+))re");
    static const std::regex kType(std::string("# TYPE (") + kName + ") (counter|gauge|histogram)");
    static const std::regex kSample(
        std::string("(") + kName +
        R"re()(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\\\|\\"|\\n)*",?)*\})? (\S+))re");
    std::smatch match;
    if (std::regex_match(line, match, kHelp)) {
      current_ = match[1];
      if (page_.families.contains(current_)) return "a family in two pieces";
      page_.families[current_].help = match[2];
      return "";
    }
    if (std::regex_match(line, match, kType)) {
      if (match[1] != current_) return "TYPE without its HELP";
      MetricFamily& family = page_.families[current_];
      if (!family.type.empty() || !family.series.empty()) return "TYPE too late";
      family.type = match[2];
      const bool total = current_.ends_with("_total");
      if ((family.type == "counter") != total) return "_total is the ending of counters";
      return "";
    }
    if (!std::regex_match(line, match, kSample)) return "neither HELP nor TYPE nor a sample";
    return TakeSample(match[1], match[2], match[3]);
  }

  std::string TakeSample(const std::string& name, const std::string& labels,
                         const std::string& text) {
    MetricFamily& family = page_.families[current_];
    if (family.type.empty()) return "a sample without TYPE";
    std::vector<std::string> names = {current_};
    if (family.type == "histogram") {
      names = {current_ + "_bucket", current_ + "_sum", current_ + "_count"};
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) return "a sample elsewhere";
    if (labels.find(",}") != std::string::npos || labels == "{}") return "strange labels";
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end != '\0') return "no number";
    if (std::isnan(value) || (family.type != "gauge" && value < 0)) return "no such count";
    if (!family.series.emplace(name + labels, value).second) return "a series twice";
    return "";
  }

  CheckedPage page_;
  std::string current_;
};

}  // namespace

CheckedPage CheckMetricPage(std::string_view page) { return Checker().Check(page); }

}  // namespace tributary
