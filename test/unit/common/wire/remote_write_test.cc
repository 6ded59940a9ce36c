#include "common/wire/remote_write.h"

#include <snappy.h>

#include <bit>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "common/wire/histogram.h"
#include "common/wire/protobuf_writer.h"
#include "remote.pb.h"
#include "test/support/catch.h"
#include "test/support/write_request.h"
#include "test/unit/common/wire/random_histogram.h"

namespace tributary {
namespace {

namespace proto = test::remote;

constexpr uint64_t kStaleNan = 0x7ff0000000000002;

std::string Uncompressed(const std::string& request) {
  std::string raw;
  REQUIRE(snappy::Uncompress(request.data(), request.size(), &raw));
  return raw;
}

proto::WriteRequest Decode(const std::string& request) {
  proto::WriteRequest decoded;
  REQUIRE(decoded.ParseFromString(Uncompressed(request)));
  return decoded;
}

uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

TEST_CASE("remote_write: libprotobuf writes the same bytes") {
  unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  auto text = [&](size_t length_max) {
    std::string out;
    for (size_t i = random() % (length_max + 1); i > 0; --i) {
      out += static_cast<char>('!' + random() % 90);
    }
    return out;
  };
  const std::vector<double> values = {0.0,
                                      1.0,
                                      -1.5,
                                      std::numeric_limits<double>::infinity(),
                                      -std::numeric_limits<double>::infinity(),
                                      std::numeric_limits<double>::denorm_min(),
                                      std::bit_cast<double>(kStaleNan),
                                      std::bit_cast<double>(uint64_t{0x7ff8000000000001}),
                                      std::bit_cast<double>(uint64_t{0xfff8000000000000})};
  const std::vector<int64_t> times = {0,
                                      1,
                                      -1,
                                      127,
                                      128,
                                      1700000000000,
                                      -62135596800000,
                                      std::numeric_limits<int64_t>::max(),
                                      std::numeric_limits<int64_t>::min()};
  for (int round = 0; round < 300; ++round) {
    WriteRequestBuilder builder;
    proto::WriteRequest expected;
    for (size_t i = random() % 20; i > 0; --i) {
      Labels labels;
      for (size_t n = random() % 12; n > 0; --n) {
        labels.Set(text(round % 10 == 0 ? 300 : 12), text(round % 10 == 1 ? 20000 : 30));
      }
      double value = random() % 2 == 0 ? values[random() % values.size()]
                                       : std::bit_cast<double>(uint64_t{random()});
      int64_t time = random() % 2 == 0 ? times[random() % times.size()]
                                       : static_cast<int64_t>(random() >> (random() % 64));
      builder.AddSample(EncodeLabels(labels), value, time);
      proto::TimeSeries* series = expected.add_timeseries();
      for (const Label& label : labels) {
        proto::Label* added = series->add_labels();
        added->set_name(label.name);
        added->set_value(label.value);
      }
      proto::Sample* sample = series->add_samples();
      sample->set_value(value);
      sample->set_timestamp(time);
    }
    for (size_t i = random() % 4; i > 0; --i) {
      proto::MetricMetadata* metadata = expected.add_metadata();
      metadata->set_metric_family_name(text(20));
      metadata->set_type(static_cast<proto::MetricMetadata::MetricType>(random() % 8));
      metadata->set_help(text(200));
      metadata->set_unit(text(5));
      builder.AddMetadata(metadata->metric_family_name(), static_cast<MetricType>(metadata->type()),
                          metadata->help(), metadata->unit());
    }
    std::string bytes = expected.SerializeAsString();
    REQUIRE(builder.raw_bytes() == bytes.size());
    REQUIRE(builder.empty() == bytes.empty());
    REQUIRE(Uncompressed(builder.Finish()) == bytes);
    REQUIRE(builder.empty());
  }
}

TEST_CASE("remote_write: values keep their bits") {
  WriteRequestBuilder builder;
  const std::string labels = EncodeLabels({{"__name__", "up"}, {"job", "a"}});
  const std::vector<uint64_t> bits = {kStaleNan, Bits(0.0), 0x7ff4000000000001, 1};
  for (uint64_t b : bits) builder.AddSample(labels, std::bit_cast<double>(b), 42);
  proto::WriteRequest request = Decode(builder.Finish());
  REQUIRE(request.timeseries_size() == static_cast<int>(bits.size()));
  for (int i = 0; i < request.timeseries_size(); ++i) {
    const proto::TimeSeries& series = request.timeseries(i);
    CHECK(Bits(series.samples(0).value()) == bits[static_cast<size_t>(i)]);
    CHECK(series.samples(0).timestamp() == 42);
    CHECK(series.labels(0).name() == "__name__");
    CHECK(series.labels(1).value() == "a");
  }
}

TEST_CASE("remote_write: a sample of defaults is there, and empty; minus zero is a default") {
  WriteRequestBuilder builder;
  builder.AddSample("", -0.0, 0);
  CHECK(Uncompressed(builder.Finish()) == std::string("\x0a\x02\x12\x00", 4));
}

TEST_CASE("remote_write: histograms and exemplars are series entries of their own") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    WriteRequestBuilder builder;
    std::vector<NativeHistogram> histograms;
    for (size_t i = random() % 5; i > 0; --i) {
      histograms.push_back(RandomHistogram(random));
      std::string bytes;
      EncodeHistogram(histograms.back(), bytes);
      builder.AddHistogram(EncodeLabels({{"__name__", "h"}, {"i", std::to_string(i)}}), bytes,
                           static_cast<TimestampMs>(random() >> (random() % 64)));
      builder.AddExemplar(EncodeLabels({{"__name__", "e"}}),
                          EncodeLabels(random() % 2 == 0 ? Labels{} : Labels{{"trace_id", "a"}}),
                          static_cast<double>(i), -5);
    }
    const size_t raw_bytes = builder.raw_bytes();
    const DecodedRequest decoded = DecodeWriteRequest(builder.Finish());
    REQUIRE(decoded.error == "");
    REQUIRE(decoded.raw_bytes == raw_bytes);
    REQUIRE(decoded.histograms.size() == histograms.size());
    REQUIRE(decoded.exemplars.size() == histograms.size());
    for (size_t i = 0; i < histograms.size(); i++) {
      REQUIRE(decoded.histograms[i].histogram == histograms[i]);
      REQUIRE(decoded.histograms[i].labels.Get("i") == std::to_string(histograms.size() - i));
      REQUIRE(decoded.exemplars[i].labels == Labels{{"__name__", "e"}});
      REQUIRE(decoded.exemplars[i].value == static_cast<double>(histograms.size() - i));
      REQUIRE(decoded.exemplars[i].timestamp == -5);
    }
  }
}

TEST_CASE("remote_write: a time of a histogram and labels of an exemplar arrive") {
  WriteRequestBuilder builder;
  std::string bytes;
  EncodeHistogram(NativeHistogram{}, bytes);
  builder.AddHistogram(EncodeLabels({{"__name__", "h"}}), bytes, 1700000000123);
  builder.AddExemplar(EncodeLabels({{"__name__", "e"}}), EncodeLabels({{"a", "1"}, {"b", "2"}}),
                      0.5, 1700000000124);
  const proto::WriteRequest request = Decode(builder.Finish());
  REQUIRE(request.timeseries_size() == 2);
  CHECK(request.timeseries(0).histograms(0).timestamp() == 1700000000123);
  const proto::Exemplar& exemplar = request.timeseries(1).exemplars(0);
  CHECK(exemplar.value() == 0.5);
  CHECK(exemplar.timestamp() == 1700000000124);
  REQUIRE(exemplar.labels_size() == 2);
  CHECK(exemplar.labels(1).name() == "b");
  CHECK(exemplar.labels(1).value() == "2");
}

TEST_CASE("remote_write: encoded labels can be taken apart") {
  const Labels labels{{"__name__", "m"}, {"empty", ""}, {"long", std::string(300, 'x')}};
  const std::string encoded = EncodeLabels(labels);
  std::string_view rest = encoded, name, value;
  std::vector<Label> taken;
  while (TakeEncodedLabel(rest, name, value)) {
    taken.push_back({std::string(name), std::string(value)});
  }
  CHECK(Labels(taken) == labels);
}

TEST_CASE("remote_write: a builder begins anew after Finish") {
  WriteRequestBuilder builder;
  builder.AddMetadata("a", MetricType::kCounter, "help", "");
  CHECK(Decode(builder.Finish()).metadata_size() == 1);
  builder.AddMetadata("b", MetricType::kGauge, "", "seconds");
  proto::WriteRequest second = Decode(builder.Finish());
  REQUIRE(second.metadata_size() == 1);
  CHECK(second.metadata(0).metric_family_name() == "b");
  CHECK(second.metadata(0).unit() == "seconds");
}

TEST_CASE("protobuf: VarintSize is what AppendVarint writes") {
  for (int bit = 0; bit < 64; ++bit) {
    for (uint64_t value : {uint64_t{1} << bit, (uint64_t{1} << bit) - 1}) {
      std::string out;
      protobuf::AppendVarint(value, out);
      CHECK(protobuf::VarintSize(value) == out.size());
    }
  }
}

}  // namespace
}  // namespace tributary
