// The page reader against its slow twin, and page by page against what must not be taken.
#include "common/exposition/protobuf_page.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "common/base/varint.h"
#include "metrics.pb.h"
#include "test/support/catch.h"
#include "test/support/protobuf_page_generator.h"
#include "test/support/protobuf_page_text.h"
#include "test/support/slow_protobuf_page.h"

namespace tributary {
namespace {

namespace pb = test::metrics;
using Event = ProtobufPageReader::Event;

ProtobufHistogramRules RulesOf(uint64_t bits) {
  return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
}

std::string Delimited(const std::string& family) {
  std::string page;
  PutVarint(page, family.size());
  return page + family;
}

std::string Delimited(const pb::MetricFamily& family) {
  return Delimited(family.SerializeAsString());
}

pb::MetricFamily GaugeFamily(const std::string& name, int metrics) {
  pb::MetricFamily family;
  family.set_name(name);
  family.set_help("what it is");
  family.set_type(1);
  for (int i = 0; i < metrics; ++i) {
    pb::Metric& metric = *family.add_metric();
    pb::LabelPair& pair = *metric.add_label();
    pair.set_name("n");
    pair.set_value(std::to_string(i));
    metric.mutable_gauge()->set_value(i);
  }
  return family;
}

// Pushes the page whole, and tells what came and how it ended.
struct Events {
  int families = 0, metrics = 0, ends = 0;
  bool ok = false, never_began = false;
  std::string error;
};

Events Read(ProtobufPageReader& reader, std::string_view page) {
  Events events;
  reader.Push(page);
  for (;;) {
    const Event event = reader.Next();
    events.families += event == Event::kFamily;
    events.metrics += event == Event::kMetric;
    events.ends += event == Event::kFamilyEnd;
    if (event == Event::kNeedsBytes || event == Event::kError) break;
  }
  const Status end = reader.Finish();
  events.ok = end.has_value();
  events.never_began = reader.family_never_began();
  if (!end) events.error = end.error().message;
  return events;
}

Events Read(std::string_view page) {
  ProtobufPageReader reader;
  return Read(reader, page);
}

void Compare(const std::string& page, uint64_t rule_bits, std::mt19937_64& random, uint64_t seed,
             size_t& compared) {
  const ProtobufHistogramRules rules = RulesOf(rule_bits);
  const ProtobufPageText whole = FastProtobufPage(page, rules);
  const ProtobufPageText bytes = FastProtobufPage(page, rules, [] { return 1; });
  const ProtobufPageText pieces =
      FastProtobufPage(page, rules, [&] { return size_t{1} << random() % 8; });
  if (!(whole == bytes) || !(whole == pieces)) {
    FAIL("seed " << seed << " rules " << rule_bits << ": whole\n"
                 << ToString(whole) << "byte by byte\n"
                 << ToString(bytes) << "in pieces\n"
                 << ToString(pieces));
  }
  const SlowProtobufPage slow = ReadProtobufPageSlowly(page, rules);
  if (slow.odd) return;
  ++compared;
  if (!(whole == slow.text)) {
    FAIL("seed " << seed << " rules " << rule_bits << ": fast\n"
                 << ToString(whole) << "slow\n"
                 << ToString(slow.text));
  }
}

TEST_CASE(
    "protobuf page: random pages in random pieces give what libprotobuf and a slow model do") {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  size_t compared = 0;
  size_t good = 0;
  constexpr size_t kRounds = 3000;
  for (size_t round = 0; round < kRounds; ++round) {
    ProtobufPageShape shape;
    shape.oddities = std::array{0U, 1U, 10U, 60U}[round % 4];
    const std::string page = RandomProtobufPage(random, shape);
    Compare(page, random() % 8, random, seed, compared);
    good += FastProtobufPage(page, {}).ok;
  }
  // The pages are not all odd, nor all broken.
  CHECK(compared > kRounds / 2);
  CHECK(good > kRounds / 3);
}

TEST_CASE("protobuf page: many families and metrics, held back and not") {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  size_t compared = 0;
  for (int round = 0; round < 20; ++round) {
    const ProtobufPageShape shape{0, 20, 200};
    Compare(RandomProtobufPage(random, shape), random() % 8, random, seed, compared);
  }
  CHECK(compared == 20);
}

TEST_CASE("protobuf page: every page cut short is an error unless cut between families") {
  const std::string first = Delimited(GaugeFamily("a", 2));
  const std::string page = first + Delimited(GaugeFamily("b", 3));
  for (size_t size = 0; size <= page.size(); ++size) {
    CAPTURE(size);
    const Events events = Read(page.substr(0, size));
    CHECK(events.ok == (size == 0 || size == first.size() || size == page.size()));
    // What was handed out of the family that was cut did not count in Prometheus.
    CHECK(events.never_began == (!events.ok && events.families > events.ends));
  }
}

TEST_CASE("protobuf page: spoiled pages are read alike in any pieces") {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5000; ++round) {
    const std::string page = SpoilProtobufPage(random, RandomProtobufPage(random, {2, 3, 4}));
    const auto rules = RulesOf(random() % 8);
    const ProtobufPageText whole = FastProtobufPage(page, rules);
    const ProtobufPageText bytes = FastProtobufPage(page, rules, [] { return 1; });
    if (!(whole == bytes)) FAIL("seed " << seed << "\n" << ToString(whole) << ToString(bytes));
    const SlowProtobufPage slow = ReadProtobufPageSlowly(page, rules);
    if (slow.odd || !whole.ok) continue;
    if (!(whole == slow.text))
      FAIL("seed " << seed << "\n" << ToString(whole) << ToString(slow.text));
  }
}

TEST_CASE("protobuf page: families without a metric are skipped unchecked") {
  pb::MetricFamily nameless;
  nameless.set_type(77);
  nameless.set_help("\xff");
  const Events events = Read(Delimited(nameless) + Delimited("") + Delimited(GaugeFamily("a", 1)));
  CHECK(events.ok);
  CHECK(events.families == 1);
  CHECK(events.metrics == 1);
  CHECK(events.ends == 1);
}

TEST_CASE("protobuf page: a family with a bad name, type or help is refused") {
  const auto error_of = [](const std::function<void(pb::MetricFamily&)>& change) {
    pb::MetricFamily family = GaugeFamily("a", 1);
    change(family);
    return Read(Delimited(family)).error;
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(error_of([](auto& f) { f.clear_name(); }), Contains("has no name"));
  CHECK_THAT(error_of([](auto& f) { f.set_name("\xff"); }), Contains("name is not UTF-8"));
  CHECK_THAT(error_of([](auto& f) { f.set_type(6); }), Contains("unknown type 6"));
  CHECK_THAT(error_of([](auto& f) { f.set_type(-1); }), Contains("unknown type -1"));
  CHECK_THAT(error_of([](auto& f) { f.set_help("\xc3"); }), Contains("help of the family \"a\""));
  CHECK(error_of([](auto& f) { f.set_unit("\xff"); }) == "");
}

TEST_CASE("protobuf page: a promised length takes no memory") {
  // 32 GiB less one: the longest length that five bytes can say.
  const Events family = Read(
      "\xff\xff\xff\xff\x7f"
      "\x0a\x01"
      "a");
  CHECK(family.error == "the page ends in the midst of a family");
  // A metric of nearly as much.
  const std::string metric =
      std::string("\xff\xff\xff\xff\x7f", 5) + "\x22\xf0\xff\xff\xff\x7f\x0a";
  CHECK(Read(metric).error == "a field of a family is too large");
  // An unknown field may be as large: its bytes are not kept.
  CHECK(Read(std::string("\xff\xff\xff\xff\x7f", 5) + "\x32\xf0\xff\xff\xff\x7f").error ==
        "the page ends in the midst of a family");
}

TEST_CASE("protobuf page: an unknown field is skipped piece by piece, however large") {
  std::string family = GaugeFamily("a", 1).SerializeAsString();
  constexpr size_t kUnknown = 200 << 20;
  std::string header;
  PutVarint(header, family.size() + 2 + 4 + kUnknown);
  header += family + "\xa2\x06";  // field 100, bytes
  PutVarint(header, kUnknown);
  ProtobufPageReader reader;
  const auto drain = [&](std::string_view bytes) {
    reader.Push(bytes);
    Event event = reader.Next();
    while (event != Event::kNeedsBytes && event != Event::kError) event = reader.Next();
    return event;
  };
  CHECK(drain(header) == Event::kNeedsBytes);
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 200; ++i) REQUIRE(drain(block) == Event::kNeedsBytes);
  CHECK(reader.Finish().has_value());
}

TEST_CASE("protobuf page: what is held back is bounded") {
  // No type: the metrics wait for the family's end.
  pb::MetricFamily family;
  family.set_name("a");
  pb::LabelPair& pair = *family.add_metric()->add_label();
  pair.set_name("n");
  pair.set_value(std::string(3 << 20, 'x'));
  const std::string name =
      "\x0a\x01"
      "a";
  const std::string metric = family.SerializeAsString().substr(name.size());
  for (const size_t metrics : {20, 22}) {
    std::string page;
    PutVarint(page, name.size() + metrics * metric.size());
    page += name;
    for (size_t i = 0; i < metrics; ++i) page += metric;
    const Events events = Read(page);
    CHECK(events.ok == (metrics == 20));
    CHECK(events.metrics == (metrics == 20 ? 20 : 0));
  }
}

TEST_CASE("protobuf page: name and type may stand behind the metrics, but not change there") {
  const pb::MetricFamily family = GaugeFamily("a", 2);
  pb::MetricFamily metrics = family;
  metrics.clear_name();
  metrics.clear_type();
  pb::MetricFamily head;
  head.set_name("a");
  head.set_type(1);
  const std::string body = metrics.SerializeAsString();
  CHECK(Read(Delimited(body + head.SerializeAsString())).metrics == 2);
  const std::string whole = family.SerializeAsString();
  CHECK(Read(Delimited(whole + head.SerializeAsString())).ok);
  head.set_name("b");
  CHECK(Read(Delimited(whole + head.SerializeAsString())).error ==
        "a family has a second name after its first metric");
  head.set_name("a");
  head.set_type(2);
  CHECK(Read(Delimited(whole + head.SerializeAsString())).error ==
        "a family has a second type after its first metric");
}

TEST_CASE("protobuf page: a family's help and unit are complete at its end") {
  pb::MetricFamily family = GaugeFamily("a", 1);
  family.set_unit("bytes");
  const std::string page = Delimited(family);
  ProtobufPageReader reader;
  reader.Push(page);
  REQUIRE(reader.Next() == Event::kFamily);
  CHECK(reader.family().name == "a");
  CHECK(reader.family().type == ProtobufType::kGauge);
  CHECK(reader.family().help == "what it is");
  CHECK(reader.family().unit == "");
  REQUIRE(reader.Next() == Event::kMetric);
  REQUIRE(reader.Next() == Event::kFamilyEnd);
  CHECK(reader.family().unit == "bytes");
  CHECK(reader.Next() == Event::kNeedsBytes);
  CHECK(reader.Finish().has_value());
}

TEST_CASE("protobuf page: of a help that comes again the last counts, and is checked") {
  pb::MetricFamily family = GaugeFamily("a", 1);
  family.set_help("\xff");
  pb::MetricFamily tail;
  tail.set_help("good");
  const std::string broken = family.SerializeAsString();
  CHECK(Read(Delimited(broken + tail.SerializeAsString())).ok);
  const Events events = Read(Delimited(broken));
  CHECK(events.error == "the help of the family \"a\" is not UTF-8");
  CHECK(events.never_began);  // Prometheus looks at it before the first metric
}

TEST_CASE("protobuf page: a broken metric is told, and those before it counted") {
  pb::MetricFamily family = GaugeFamily("a", 2);
  std::string bytes =
      family.SerializeAsString() + "\x22\x02\x12\x09";  // a gauge of 9 bytes: missing
  const Events events = Read(Delimited(bytes));
  CHECK(events.error == "family \"a\": malformed metric: a field ends early");
  CHECK(events.metrics == 2);
  CHECK_FALSE(events.never_began);
}

TEST_CASE("protobuf page: the wire's mistakes are refused") {
  const std::string good = GaugeFamily("a", 1).SerializeAsString();
  const auto error_of = [&](std::string tail) { return Read(Delimited(good + tail)).error; };
  CHECK(error_of("") == "");
  CHECK(error_of("\x0c") == "malformed family: a group ends that did not begin");
  CHECK(error_of(std::string("\x00\x01", 2)) == "malformed family: a field number is out of range");
  CHECK(error_of("\x08\x01") == "malformed family: a field has the wrong wire type");
  CHECK(error_of("\x36") == "malformed family: a field has an unknown wire type");
  CHECK(error_of("\x33") == "malformed family: a group does not end");
  CHECK(error_of("\x33\x33\x08\x01\x34\x34") == "");
  CHECK(error_of("\x31"
                 "1234567") == "malformed family: a field ends early");
  CHECK(error_of("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01") ==
        "malformed family: a number is too long");
  CHECK(Read("\x80\x80\x80\x80\x80\x01").error == "a family's length is too long");
  // A packed list of one byte whose number has two: Prometheus reads on, and so do we.
  pb::MetricFamily histogram;
  histogram.set_name("h");
  histogram.set_type(4);
  CHECK(Read(Delimited(histogram.SerializeAsString() + "\x22\x06\x3a\x04\x6a\x01\x80\x01")).ok);
}

TEST_CASE("protobuf page: after an error nothing more is read, and Reset makes it as new") {
  ProtobufPageReader reader;
  CHECK_FALSE(Read(reader, "\x02\x0c\x0c").ok);
  CHECK_FALSE(Read(reader, Delimited(GaugeFamily("a", 1))).ok);
  reader.Reset();
  CHECK(Read(reader, Delimited(GaugeFamily("a", 1))).ok);
}

}  // namespace
}  // namespace tributary
