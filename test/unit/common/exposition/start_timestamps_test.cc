#include "common/exposition/start_timestamps.h"

#include <string>
#include <vector>

#include "test/support/catch.h"
#include "test/support/slow_openmetrics_parser.h"

namespace tributary {
namespace {

// "series=start" of the samples, without those that have none; both parsers must agree.
std::vector<std::string> StartsOf(const std::string& page) {
  const OpenMetricsPage fast = FastParseOpenMetrics(page + "# EOF\n", CreatedLines::kAreStarts);
  INFO(page);
  REQUIRE(fast.good);
  REQUIRE((fast == SlowParseOpenMetrics(page + "# EOF\n", CreatedLines::kAreStarts)));
  std::vector<std::string> starts;
  for (const OpenMetricsEntry& entry : fast.entries) {
    CHECK(entry.series.find("x_created") == std::string::npos);
    if (entry.start != 0) starts.push_back(entry.series + "=" + std::to_string(entry.start));
  }
  return starts;
}

using Starts = std::vector<std::string>;

TEST_CASE("start timestamps: a counter's with the same labels, wherever the value's forms differ") {
  CHECK(StartsOf("# TYPE x counter\n"
                 "x_total 17 1520879607.789 # {id=\"a\"} 5\nx_created 1520872607.123\n"
                 "x_total{a=\"b\"} 17\nx_created{a=\"b\"} 1.520872607123e9\n"
                 "x_total{le=\"c\"} 21\nx_created{le=\"c\"} 1520872621.123\n"
                 "x_total{le=\"1\"} 10\n") == Starts{"x_total=1520872607123",
                                                     "x_total{a=\"b\"}=1520872607123",
                                                     "x_total{le=\"c\"}=1520872621123"});
}

TEST_CASE("start timestamps: all of a summary's and a histogram's samples share one") {
  CHECK(StartsOf("# TYPE x summary\nx_count 1\nx_sum 2\nx{quantile=\"0.95\"} 1\n"
                 "x{quantile=\"0.99\"} 1\nx_created 1520872608.124\n") ==
        Starts{"x_count=1520872608124", "x_sum=1520872608124", "x{quantile=\"0.95\"}=1520872608124",
               "x{quantile=\"0.99\"}=1520872608124"});
  CHECK(StartsOf("# TYPE x histogram\nx_bucket{a=\"1\",le=\"+Inf\"} 1\nx_count{a=\"1\"} 1\n"
                 "x_created{a=\"1\"} 2\n") ==
        Starts{"x_bucket{a=\"1\",le=\"+Inf\"}=2000", "x_count{a=\"1\"}=2000"});
}

TEST_CASE("start timestamps: one found holds on behind its line, but is not found behind it") {
  CHECK(StartsOf("# TYPE x histogram\nx_count 1\nx_created 2\nx_sum 1\nx_bucket{le=\"1\"} 1\n") ==
        Starts{"x_count=2000", "x_sum=2000", "x_bucket{le=\"1\"}=2000"});
  CHECK(StartsOf("# TYPE x histogram\nx_created 2\nx_count 1\nx_bucket{le=\"1\"} 1\n").empty());
  // Another key that finds none makes it forgotten.
  CHECK(StartsOf("# TYPE x counter\nx_total 1\nx_created 2\nx_total{a=\"1\"} 1\nx_total 1\n") ==
        Starts{"x_total=2000"});
  CHECK(StartsOf("# TYPE x counter\nx_total 1\nx_created 2\n# HELP x y\nx_total 1\n") ==
        Starts{"x_total=2000", "x_total=2000"});
}

TEST_CASE("start timestamps: only the next _created line counts, and metadata ends the search") {
  CHECK(StartsOf("# TYPE x counter\nx_total 1\nx_total{a=\"1\"} 1\nx_created{a=\"1\"} 2\n"
                 "x_created 3\n") == Starts{"x_total{a=\"1\"}=2000"});
  CHECK(StartsOf("# TYPE x counter\nx_total 1\n# HELP x y\nx_created 2\n").empty());
  CHECK(StartsOf("# TYPE x counter\nx_total{a=\"1\",b=\"2\"} 1\nx_created{b=\"2\",a=\"1\"} 2\n")
            .empty());
}

TEST_CASE("start timestamps: of other types _created lines are series") {
  for (const char* type : {"gauge", "unknown", "info", "stateset", "gaugehistogram"}) {
    const std::string page = "# TYPE y " + std::string(type) + "\ny_total 1\ny_created 2\n# EOF\n";
    const OpenMetricsPage fast = FastParseOpenMetrics(page, CreatedLines::kAreStarts);
    REQUIRE(fast.entries.size() == 3);
    CHECK(fast.entries[2].series == "y_created");
    CHECK((fast == SlowParseOpenMetrics(page, CreatedLines::kAreStarts)));
  }
  CHECK(FastParseOpenMetrics("y_total 17\ny_created 15\n# EOF\n", CreatedLines::kAreStarts)
            .entries.size() == 2);
}

TEST_CASE("start timestamps: quoted names have them, by the family's length") {
  CHECK(StartsOf("# TYPE \"x.y\" summary\n{\"x.y\",quantile=\"0\"} 1\n{\"x.y\",quantile=\"1\"} 1\n"
                 "{\"x.y_created\"} 1.5\n{\"x.y\",quantile=\"0.5\",a=\"b\"} 1\n") ==
        Starts{"{\"x.y\",quantile=\"0\"}=1500", "{\"x.y\",quantile=\"1\"}=1500"});
  // Not the family's name, but as long.
  CHECK(StartsOf("# TYPE y counter\nx_total 1\nx_created 2\n") == Starts{"x_total=2000"});
  CHECK(StartsOf("# TYPE longer_than_it counter\nx_total 1\nx_created 2\n").empty());
}

TEST_CASE("start timestamps: zero is none, and one before 1970 is not remembered") {
  CHECK(StartsOf("# TYPE x counter\nx_total 1\nx_created 0\n").empty());
  CHECK(StartsOf("# TYPE x counter\nx_total 1\nx_created -1\nx_total 1\n") ==
        Starts{"x_total=-1000"});
}

TEST_CASE("start timestamps: which series are _created") {
  CHECK(IsCreatedSeries("x_created", "counter"));
  CHECK(IsCreatedSeries("_created{a=\"1\"}", "summary"));
  CHECK(IsCreatedSeries("{a=\"1\",\"x.y_created\"}", "histogram"));
  CHECK_FALSE(IsCreatedSeries("x_created", "gauge"));
  CHECK_FALSE(IsCreatedSeries("x_created", ""));
  CHECK_FALSE(IsCreatedSeries("created", "counter"));
  CHECK_FALSE(IsCreatedSeries("{a=\"x_created\",\"x\"}", "counter"));
}

TEST_CASE("start timestamps: keys of text that is no series are nothing") {
  const HashKey hash = HashKey::FromSeed(1);
  for (const char* text : {"", "{", "x{", "x{a", "x{a=", "x{a=\"", "{\"", "{}"}) {
    INFO(text);
    CHECK_FALSE(CreatedKey(text, "counter", hash).has_value());
    CHECK_FALSE(StartTimestampKey(text, "counter", 1, hash).has_value());
  }
}

TEST_CASE("start timestamps: long series have the same keys as short ones") {
  const HashKey hash = HashKey::FromSeed(1);
  const std::string labels =
      "{a=\"" + std::string(3000, 'a') + "\",b=\"" + std::string(2000, 'b') + "\"}";
  CHECK(StartTimestampKey("x_total" + labels, "counter", 1, hash) ==
        CreatedKey("x_created" + labels, "counter", hash));
  CHECK(StartTimestampKey("x_total" + labels, "counter", 1, hash) !=
        CreatedKey("y_created" + labels, "counter", hash));
}

TEST_CASE("start timestamps: nothing is left for the next page") {
  StartTimestamps starts;
  starts.TakeSample(1, 5);
  starts.TakeCreated(5, 2);
  CHECK(starts.found().size() == 1);
  starts.Reset();
  CHECK(starts.found().empty());
  starts.TakeSample(1, 5);
  starts.TakeMetadata();
  CHECK(starts.found().empty());
}

}  // namespace
}  // namespace tributary
