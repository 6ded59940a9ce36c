#include "common/wire/remote_write_v2.h"

#include <snappy.h>

#include <bit>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "common/wire/histogram.h"
#include "remote_v2.pb.h"
#include "test/support/catch.h"
#include "test/support/write_request.h"
#include "test/unit/common/wire/random_histogram.h"

namespace tributary {
namespace {

constexpr char kContentType[] = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

test::remote::v2::Request Decode(const std::string& body) {
  std::string raw;
  REQUIRE(snappy::Uncompress(body.data(), body.size(), &raw));
  test::remote::v2::Request request;
  REQUIRE(request.ParseFromString(raw));
  return request;
}

// Requests by chance, beside what they have to say.
class RandomRequest {
 public:
  explicit RandomRequest(std::mt19937_64& random) : random_(random) {}

  void Fill(WriteRequestV2Builder& builder) {
    for (uint64_t i = Below(30); i > 0; i--) {
      const Labels labels = MakeLabels(1 + Below(10));
      const std::string encoded = EncodeLabels(labels);
      const DecodedMetadata metadata{"", static_cast<int>(Below(8)), Text(40), Text(3)};
      const SeriesV2 series{encoded, static_cast<MetricType>(metadata.type), metadata.help,
                            metadata.unit};
      const TimestampMs timestamp = Time(), start = Time();
      const auto value = static_cast<double>(Below(1000));
      switch (Below(3)) {
        case 0:
          builder.AddSample(series, value, timestamp, start);
          samples.push_back({labels, value, timestamp, start, metadata});
          break;
        case 1: {
          const NativeHistogram histogram = RandomHistogram(random_);
          std::string bytes;
          EncodeHistogram(histogram, bytes);
          builder.AddHistogram(series, bytes, timestamp, start);
          histograms.push_back({labels, histogram, timestamp, start, metadata});
          break;
        }
        default: {
          const Labels own = MakeLabels(Below(3));
          builder.AddExemplar(series, EncodeLabels(own), value, timestamp);
          exemplars.push_back({labels, own, value, timestamp, metadata});
        }
      }
    }
  }

  std::vector<DecodedSample> samples;
  std::vector<DecodedHistogram> histograms;
  std::vector<DecodedExemplar> exemplars;

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  TimestampMs Time() {
    const uint64_t what = Below(4);
    if (what == 0) return 0;
    if (what == 1) return static_cast<TimestampMs>(random_());
    return 1700000000000 + static_cast<TimestampMs>(Below(1000));
  }
  // Often the same, so that there is something to share.
  std::string Text(uint64_t length_max) {
    std::string text;
    for (uint64_t i = Below(length_max + 1); i > 0; i--) {
      text += static_cast<char>(Below(20) == 0 ? random_() : 'a' + Below(2));
    }
    // proto3 strings are UTF-8.
    for (char& c : text) c = static_cast<char>(c & 0x7f);
    return text;
  }
  Labels MakeLabels(uint64_t count) {
    Labels labels;
    for (uint64_t i = 0; i < count; i++)
      labels.Set("n" + Text(4), "v" + Text(Below(50) == 0 ? 5000 : 4));
    return labels;
  }

  std::mt19937_64& random_;
};

TEST_CASE("remote_write_v2: libprotobuf reads what was written") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  WriteRequestV2Builder builder;
  for (int round = 0; round < 500; round++) {
    RandomRequest expected(random);
    expected.Fill(builder);
    const bool is_empty =
        expected.samples.empty() && expected.histograms.empty() && expected.exemplars.empty();
    REQUIRE(builder.empty() == is_empty);
    const size_t raw_bytes = builder.raw_bytes();
    const DecodedRequest decoded = DecodeWriteRequest(builder.Finish(), kContentType);
    // Also that symbols begin with the empty one, that none is there twice, and that labels are
    // sorted.
    REQUIRE(decoded.error == "");
    REQUIRE(decoded.raw_bytes == raw_bytes);
    REQUIRE(decoded.samples.size() == expected.samples.size());
    for (size_t i = 0; i < decoded.samples.size(); i++) {
      const DecodedSample &a = decoded.samples[i], &b = expected.samples[i];
      REQUIRE(a.labels == b.labels);
      REQUIRE((a.value == b.value && a.timestamp == b.timestamp && a.start == b.start));
      REQUIRE(a.metadata == b.metadata);
    }
    REQUIRE(decoded.histograms.size() == expected.histograms.size());
    for (size_t i = 0; i < decoded.histograms.size(); i++) {
      const DecodedHistogram &a = decoded.histograms[i], &b = expected.histograms[i];
      REQUIRE(a.labels == b.labels);
      REQUIRE((a.histogram == b.histogram && a.timestamp == b.timestamp && a.start == b.start));
      REQUIRE(a.metadata == b.metadata);
    }
    REQUIRE(decoded.exemplars.size() == expected.exemplars.size());
    for (size_t i = 0; i < decoded.exemplars.size(); i++) {
      const DecodedExemplar &a = decoded.exemplars[i], &b = expected.exemplars[i];
      REQUIRE(a.labels == b.labels);
      REQUIRE(a.own_labels == b.own_labels);
      REQUIRE((a.value == b.value && a.timestamp == b.timestamp));
      REQUIRE(a.metadata == b.metadata);
    }
  }
}

TEST_CASE("remote_write_v2: each string is there once, whatever it is used for") {
  WriteRequestV2Builder builder;
  const std::string a = EncodeLabels({{"__name__", "m"}, {"job", "seconds"}});
  const std::string b = EncodeLabels({{"__name__", "job"}, {"job", "m"}});
  builder.AddSample({a, MetricType::kGauge, "m", "seconds"}, 1, 10, 0);
  builder.AddExemplar({b, MetricType::kUnknown, "", ""}, EncodeLabels({{"job", "x"}}), 2, 11);
  const test::remote::v2::Request request = Decode(builder.Finish());
  const std::vector<std::string> symbols(request.symbols().begin(), request.symbols().end());
  CHECK(symbols == std::vector<std::string>{"", "__name__", "m", "job", "seconds", "x"});
  REQUIRE(request.timeseries_size() == 2);
  const auto& refs = request.timeseries(1).labels_refs();
  CHECK(std::vector<uint32_t>(refs.begin(), refs.end()) == std::vector<uint32_t>{1, 3, 3, 2});
  CHECK(request.timeseries(0).metadata().help_ref() == 2);
  CHECK(request.timeseries(0).metadata().unit_ref() == 4);
  CHECK(request.timeseries(1).metadata().type() == 0);
}

TEST_CASE("remote_write_v2: values keep their bits") {
  WriteRequestV2Builder builder;
  const std::string labels = EncodeLabels({{"__name__", "up"}});
  const std::vector<uint64_t> bits = {0x7ff0000000000002, 0, 0x7ff4000000000001, 1};
  for (uint64_t b : bits) builder.AddSample({labels}, std::bit_cast<double>(b), 42, 41);
  const test::remote::v2::Request request = Decode(builder.Finish());
  REQUIRE(request.timeseries_size() == static_cast<int>(bits.size()));
  for (int i = 0; i < request.timeseries_size(); i++) {
    const auto& sample = request.timeseries(i).samples(0);
    CHECK(std::bit_cast<uint64_t>(sample.value()) == bits[static_cast<size_t>(i)]);
    CHECK(sample.timestamp() == 42);
    CHECK(sample.start_timestamp() == 41);
  }
}

TEST_CASE("remote_write_v2: symbols begin anew after Finish") {
  WriteRequestV2Builder builder;
  builder.AddSample({EncodeLabels({{"a", "b"}})}, 1, 1, 0);
  builder.Finish();
  CHECK(builder.empty());
  builder.AddSample({EncodeLabels({{"b", "c"}})}, 1, 1, 0);
  const test::remote::v2::Request request = Decode(builder.Finish());
  CHECK(request.symbols_size() == 3);
  CHECK(request.symbols(1) == "b");
}

}  // namespace
}  // namespace tributary
