#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "test/support/catch.h"
#include "test/support/openmetrics_page_generator.h"
#include "test/support/slow_openmetrics_parser.h"

namespace tributary {
namespace {

using namespace std::string_literals;

// A page and what Prometheus reads in it up to its end or its first error; names of cases are the
// conformance suite's where it has them.
struct PageCase {
  std::string name;
  std::string page;
  bool good = true;
  std::vector<std::string> entries;  // as Shown
};

std::string Shown(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.17g", value);
  return std::isnan(value) ? "NaN" : text;
}

std::string Shown(const std::optional<TextLabels>& labels) {
  std::string out;
  if (!labels) return "refused";
  for (const auto& [name, value] : *labels) out += (out.empty() ? "" : ",") + name + "=" + value;
  return "{" + out + "}";
}

std::string Shown(const OpenMetricsEntry& entry) {
  const auto time = [](const std::optional<TimestampMs>& timestamp) {
    return timestamp ? " @" + std::to_string(*timestamp) : "";
  };
  if (entry.kind == LineKind::kType) return entry.family + " is " + entry.text;
  if (entry.kind == LineKind::kUnit) return entry.family + " in " + entry.text;
  if (entry.kind == LineKind::kHelp) return entry.family + ": " + entry.text;
  std::string text = Shown(entry.labels) + " " + Shown(std::bit_cast<double>(entry.value_bits)) +
                     time(entry.timestamp);
  if (!entry.exemplar) return text;
  text += " # " + Shown(entry.exemplar->labels);
  if (!entry.exemplar->labels) return text;
  return text + " " + Shown(std::bit_cast<double>(entry.exemplar->value_bits)) +
         time(entry.exemplar->timestamp);
}

void CheckPage(const PageCase& test) {
  INFO(test.name);
  const OpenMetricsPage fast = FastParseOpenMetrics(test.page, CreatedLines::kAreSeries);
  CHECK((fast == SlowParseOpenMetrics(test.page, CreatedLines::kAreSeries)));
  CHECK(fast.good == test.good);
  std::vector<std::string> entries;
  for (const OpenMetricsEntry& entry : fast.entries) entries.push_back(Shown(entry));
  CHECK(entries == test.entries);
}

TEST_CASE("OpenMetrics page: the end is # EOF, with or without newline, and nothing follows") {
  const std::string a = "{__name__=a} 1";
  for (const PageCase& test : std::vector<PageCase>{
           {"om-only-eof", "# EOF\n", true, {}},
           {"om-eof-no-newline", "a 1\n# EOF", true, {a}},
           {"empty", "", false, {}},
           {"newline", "\n", false, {}},
           {"om-no-eof", "# TYPE a gauge\na 1\n", false, {"a is gauge", a}},
           {"om-text-after-eof", "a 1\n# EOF\nb 2\n", false, {a}},
           {"newline after eof", "# EOF\n\n", false, {}},
           {"eof twice", "# EOF\n# EOF\n", false, {}},
           {"NUL bytes after eof", "# EOF\0\n\0\0"s, true, {}},
           {"NUL bytes and more after eof", "# EOF\n\0a 1\n# EOF\n"s, false, {}},
           {"a last line without newline does not count", "a 1\nb 1", false, {a}},
           {"but it does if its fault is seen too late", "b 1\na 1 ", false, {"{__name__=b} 1", a}},
           {"metadata without newline", "a 1\n# HELP a x", false, {a}},
       }) {
    CheckPage(test);
  }
}

TEST_CASE("OpenMetrics page: a page is read up to its first error") {
  const std::string a = "{__name__=a} 1";
  for (const PageCase& test : std::vector<PageCase>{
           {"om-blank-line", "a 1\n\nb 2\n# EOF\n", false, {a}},
           {"om-comment", "a 1\n# just a comment\nb 1\n# EOF\n", false, {a}},
           {"om-leading-space", " a 1\n# EOF\n", false, {}},
           {"om-double-space", "a  1\n# EOF\n", false, {}},
           {"om-untyped-is-no-type", "# TYPE omu untyped\nomu 1\n# EOF\n", false, {}},
           {"om-bad-type", "# TYPE a banana\na 1\n# EOF\n", false, {}},
           {"om-unit-mismatch", "# UNIT omx seconds\nomx 1\n# EOF\n", false, {}},
           {"om-timestamp-nan", "a 1 NaN\n# EOF\n", false, {}},
           {"om-exemplar-broken", "a 1\nb 5 # {c=\"a\"\n# EOF\n", false, {a}},
           {"om-exemplar-no-value", "a 1\nb 5 # {c=\"a\"}\n# EOF\n", false, {a}},
           {"a blank at the end", "a 1 \nb 2\n# EOF\n", false, {a}},
           {"carriage return", "a 1\r\n# EOF\n", false, {}},
       }) {
    CheckPage(test);
  }
}

TEST_CASE("OpenMetrics page: the conformance suite's good pages") {
  for (const PageCase& test : std::vector<PageCase>{
           {"om-plain",
            "# TYPE r counter\n# HELP r Seen.\nr_total{a=\"1\"} 5\n# TYPE t_celsius gauge\n"
            "# UNIT t_celsius celsius\nt_celsius 21.5\n# EOF\n",
            true,
            {"r is counter", "r: Seen.", "{__name__=r_total,a=1} 5", "t_celsius is gauge",
             "t_celsius in celsius", "{__name__=t_celsius} 21.5"}},
           {"om-types",
            "# TYPE i info\ni_info{version=\"1\"} 1\n# TYPE s stateset\ns{s=\"on\"} 1\n"
            "# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\ng_gcount 2\n# TYPE u unknown\nu 1\n"
            "# EOF\n",
            true,
            {"i is info", "{__name__=i_info,version=1} 1", "s is stateset", "{__name__=s,s=on} 1",
             "g is gaugehistogram", "{__name__=g_bucket,le=1} 1", "{__name__=g_gcount} 2",
             "u is unknown", "{__name__=u} 1"}},
           {"om-counter-without-total",
            "# TYPE bare counter\nbare 1\n# EOF\n",
            true,
            {"bare is counter", "{__name__=bare} 1"}},
           {"om-created",
            "# TYPE c counter\nc_total 1\nc_created 1.5e9\n# EOF\n",
            true,
            {"c is counter", "{__name__=c_total} 1", "{__name__=c_created} 1500000000"}},
           {"om-timestamp-seconds",
            "a 1 1700000020.25\na 1 1e3\na 1 1700000020250\n# EOF\n",
            true,
            {"{__name__=a} 1 @1700000020250", "{__name__=a} 1 @1000000",
             "{__name__=a} 1 @1700000020250000"}},
           {"om-exemplar-counter",
            "ex_total 5 # {trace_id=\"abc\",span_id=\"d\"} 1.5\n# EOF\n",
            true,
            {"{__name__=ex_total} 5 # {span_id=d,trace_id=abc} 1.5"}},
           {"om-exemplar-histogram",
            "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {t=\"one\"} 0.5 5\n"
            "h_bucket{le=\"+Inf\"} 3 # {} 9\nh_sum 1 # {t=\"x\"} 1\n# EOF\n",
            true,
            {"h is histogram", "{__name__=h_bucket,le=1.0} 1 # {t=one} 0.5 @5000",
             "{__name__=h_bucket,le=+Inf} 3 # {} 9", "{__name__=h_sum} 1 # {t=x} 1"}},
           {"om-exemplar-gauge",
            "# TYPE g gauge\ng 5 # {t=\"abc\"} 1\n# EOF\n",
            true,
            {"g is gauge", "{__name__=g} 5 # {t=abc} 1"}},
           {"om-exemplar-too-long",
            "l 5 # {t=\"" + std::string(150, 'x') + "\"} 1\n# EOF\n",
            true,
            {"{__name__=l} 5 # refused"}},
           {"om-help-escapes",
            "# HELP h with \"quotes\" \\\"escaped\\\" line\\nbreak \\\\ end\n# EOF\n",
            true,
            {"h: with \"quotes\" \"escaped\" line\nbreak \\ end"}},
           {"om-utf8",
            "# TYPE \"om.dotted\" counter\n{\"om.dotted_total\",\"l.l\"=\"x\"} 1\n# EOF\n",
            true,
            {"om.dotted is counter", "{__name__=om.dotted_total,l.l=x} 1"}},
           {"om-duplicate-labels", "a{x=\"1\",x=\"2\"} 1\n# EOF\n", true, {"refused 1"}},
           {"om-hex-and-inf",
            "a +Inf\nb -Inf\nc NaN\n# EOF\n",
            true,
            {"{__name__=a} inf", "{__name__=b} -inf", "{__name__=c} NaN"}},
           {"om-interleaved",
            "# TYPE a gauge\na{x=\"1\"} 1\n# TYPE b gauge\nb 1\na{x=\"2\"} 1\n# EOF\n",
            true,
            {"a is gauge", "{__name__=a,x=1} 1", "b is gauge", "{__name__=b} 1",
             "{__name__=a,x=2} 1"}},
           {"om-le-normalised",
            "# TYPE l histogram\nl_bucket{le=\"1\"} 1\nl_bucket{le=\"10\"} 1\n# EOF\n",
            true,
            {"l is histogram", "{__name__=l_bucket,le=1.0} 1", "{__name__=l_bucket,le=10.0} 1"}},
           {"om-summary-quantile-integer",
            "# TYPE q summary\nq{quantile=\"1\"} 1\n# EOF\n",
            true,
            {"q is summary", "{__name__=q,quantile=1.0} 1"}},
       }) {
    CheckPage(test);
  }
}

TEST_CASE("OpenMetrics page: NUL bytes at a line's start belong to the metadata before, if any") {
  for (const PageCase& test : std::vector<PageCase>{
           {"after HELP", "# HELP a x\n\0\0a 1\n# EOF\n"s, true, {"a: x\n\0"s, "{__name__=a} 1"}},
           {"after TYPE", "# TYPE a gauge\n\0a 1\n# EOF\n"s, false, {}},
           {"after UNIT", "# UNIT a \n\0a 1\n# EOF\n"s, false, {}},
           {"after UNIT of a strange name",
            "# UNIT \"a_s\n\" s\n\0# EOF\n"s,
            true,
            {"a_s\n in s\n"}},
           {"after a sample", "a 1\n\0b 1\n# EOF\n"s, false, {"{__name__=a} 1"}},
           {"at the start", "\0a 1\n# EOF\n"s, false, {}},
       }) {
    CheckPage(test);
  }
}

void CheckRandomPages(CreatedLines created) {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  size_t good = 0;
  size_t samples = 0;
  size_t exemplars = 0;
  size_t starts = 0;
  constexpr int kRounds = 30'000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string page = RandomOpenMetricsPage(random);
    const OpenMetricsPage slow = SlowParseOpenMetrics(page, created);
    const OpenMetricsPage fast = FastParseOpenMetrics(page, created);
    if (!(slow == fast)) {
      FAIL("seed " << seed << " round " << round << "\n"
                   << page << "\nslow " << ToString(slow) << "fast " << ToString(fast));
    }
    good += slow.good ? 1 : 0;
    for (const OpenMetricsEntry& entry : slow.entries) {
      samples += entry.kind == LineKind::kSample ? 1 : 0;
      exemplars += entry.exemplar.has_value() ? 1 : 0;
      starts += entry.start != 0 ? 1 : 0;
    }
  }
  // The generator must give all kinds, or the test shows nothing.
  CHECK(good > kRounds / 5);
  CHECK(good < kRounds * 4 / 5);
  CHECK(samples > kRounds);
  CHECK(exemplars > kRounds / 20);
  if (created == CreatedLines::kAreStarts) CHECK(starts > kRounds / 20);
}

TEST_CASE("OpenMetrics page: fast and slow parser agree on random pages, good and broken") {
  CheckRandomPages(CreatedLines::kAreSeries);
}

TEST_CASE("OpenMetrics page: fast and slow parser agree on starts from _created lines") {
  CheckRandomPages(CreatedLines::kAreStarts);
}

}  // namespace
}  // namespace tributary
