#include "common/wire/write_request_reader.h"

#include <random>

#include "common/wire/histogram.h"
#include "common/wire/protobuf_writer.h"
#include "remote.pb.h"
#include "remote_v2.pb.h"
#include "test/support/catch.h"
#include "test/support/write_request_text.h"
#include "test/unit/common/wire/random_histogram.h"

namespace tributary {
namespace {

using Opened = WriteRequestReader::Opened;

struct Dice {
  std::mt19937_64 random;
  uint64_t Below(uint64_t n) { return random() % n; }
  int64_t Time() {
    return static_cast<int64_t>(random() >> Below(60)) - (Below(4) == 0 ? 1000 : 0);
  }
  double Value() { return static_cast<double>(static_cast<int64_t>(random())) / 4096; }
  std::string Text() {
    std::string text;
    for (uint64_t i = Below(20); i > 0; i--) text += static_cast<char>('a' + Below(26));
    return text;
  }
};

template <typename Message>
void FillHistogram(Dice& dice, Message& out) {
  std::string bytes;
  EncodeHistogram(RandomHistogram(dice.random), bytes);
  REQUIRE(out.ParseFromString(bytes));
  out.set_timestamp(dice.Time());
}

std::string RandomV1(Dice& dice) {
  test::remote::WriteRequest request;
  for (uint64_t s = dice.Below(8); s > 0; s--) {
    auto& series = *request.add_timeseries();
    for (uint64_t i = dice.Below(6); i > 0; i--) {
      auto& label = *series.add_labels();
      label.set_name(dice.Below(20) == 0 ? "" : "n" + dice.Text());
      label.set_value(dice.Text());
    }
    for (uint64_t i = dice.Below(4); i > 0; i--) {
      auto& sample = *series.add_samples();
      sample.set_value(dice.Below(3) == 0 ? 0 : dice.Value());
      sample.set_timestamp(dice.Below(9) == 0 ? 0 : dice.Time());
    }
    for (uint64_t i = dice.Below(8) / 6; i > 0; i--) FillHistogram(dice, *series.add_histograms());
    for (uint64_t i = dice.Below(8) / 6; i > 0; i--) {
      auto& exemplar = *series.add_exemplars();
      auto& label = *exemplar.add_labels();
      label.set_name("trace");
      label.set_value(dice.Text());
      exemplar.set_value(dice.Value());
      exemplar.set_timestamp(dice.Time());
    }
  }
  for (uint64_t i = dice.Below(3); i > 0; i--) {
    auto& family = *request.add_metadata();
    family.set_type(static_cast<test::remote::MetricMetadata::MetricType>(dice.Below(9)));
    family.set_metric_family_name(dice.Text());
    family.set_help(dice.Text());
    family.set_unit(dice.Text());
  }
  return request.SerializeAsString();
}

std::string RandomV2(Dice& dice) {
  test::remote::v2::Request request;
  request.add_symbols("");
  for (uint64_t i = dice.Below(30); i > 0; i--) request.add_symbols(dice.Text());
  for (uint64_t s = dice.Below(8); s > 0; s--) {
    auto& series = *request.add_timeseries();
    for (uint64_t i = dice.Below(8); i > 0; i--) {
      series.add_labels_refs(static_cast<uint32_t>(dice.random() >> (32 + dice.Below(32))));
    }
    for (uint64_t i = dice.Below(4); i > 0; i--) {
      auto& sample = *series.add_samples();
      sample.set_value(dice.Value());
      sample.set_timestamp(dice.Time());
      if (dice.Below(2) == 0) sample.set_start_timestamp(dice.Time());
    }
    for (uint64_t i = dice.Below(8) / 6; i > 0; i--) FillHistogram(dice, *series.add_histograms());
    for (uint64_t i = dice.Below(8) / 6; i > 0; i--) {
      auto& exemplar = *series.add_exemplars();
      exemplar.add_labels_refs(1);
      exemplar.add_labels_refs(2);
      exemplar.set_value(dice.Value());
      exemplar.set_timestamp(dice.Time());
    }
    if (dice.Below(2) == 0) {
      auto& metadata = *series.mutable_metadata();
      metadata.set_type(static_cast<test::remote::v2::Metadata::MetricType>(dice.Below(9)));
      metadata.set_help_ref(static_cast<uint32_t>(dice.Below(40)));
      metadata.set_unit_ref(static_cast<uint32_t>(dice.Below(40)));
    }
  }
  return request.SerializeAsString();
}

TEST_CASE("write request reader: reads what libprotobuf writes, and what it reads of broken ones") {
  Dice dice{std::mt19937_64(Catch::rngSeed())};
  for (int i = 0; i < 3000; i++) {
    const auto version = i % 2 == 0 ? WriteVersion::kV1 : WriteVersion::kV2;
    std::string bytes = version == WriteVersion::kV1 ? RandomV1(dice) : RandomV2(dice);
    const auto fast = FastWriteRequestText(version, bytes);
    REQUIRE(fast);
    REQUIRE(*fast == SlowWriteRequestText(version, bytes));
    if (bytes.empty()) continue;
    if (dice.Below(2) == 0) {
      bytes[dice.Below(bytes.size())] = static_cast<char>(dice.Below(256));
    } else {
      bytes.resize(dice.Below(bytes.size()));
    }
    const auto broken = FastWriteRequestText(version, bytes);
    const auto slow = SlowWriteRequestText(version, bytes);
    if (broken && slow) REQUIRE(*broken == *slow);
  }
}

TEST_CASE("write request reader: lengths that the request does not have are errors") {
  WriteRequestReader reader;
  WriteSeries series;
  std::string bytes;
  SECTION("of a series") {
    protobuf::AppendTag(1, protobuf::WireType::kBytes, bytes);
    protobuf::AppendVarint(uint64_t{1} << 40, bytes);
    CHECK(reader.Open(WriteVersion::kV1, bytes, 10) == Opened::kMalformed);
    CHECK(std::string(reader.problem()) == "a field ends early");
  }
  SECTION("of a length itself") {
    bytes = "\x0a" + std::string(12, '\xff');
    CHECK(reader.Open(WriteVersion::kV1, bytes, 10) == Opened::kMalformed);
  }
  SECTION("of a label") {
    std::string inner;
    protobuf::AppendTag(1, protobuf::WireType::kBytes, inner);
    protobuf::AppendVarint(0xffffffff, inner);
    protobuf::AppendBytesField(1, inner, bytes);
    REQUIRE(reader.Open(WriteVersion::kV1, bytes, 10) == Opened::kGood);
    CHECK(!reader.ReadSeries(0, series));
  }
  SECTION("of a list of symbols") {
    std::string inner;
    protobuf::AppendTag(1, protobuf::WireType::kBytes, inner);
    protobuf::AppendVarint(1000, inner);
    protobuf::AppendBytesField(5, inner, bytes);
    REQUIRE(reader.Open(WriteVersion::kV2, bytes, 10) == Opened::kGood);
    CHECK(!reader.ReadSeries(0, series));
  }
}

TEST_CASE("write request reader: what is many and small is counted before it takes memory") {
  WriteRequestReader reader;
  WriteSeries series;
  std::string bytes, inner;
  for (int i = 0; i < 11; i++) protobuf::AppendBytesField(2, "", inner);
  SECTION("series") {
    for (int i = 0; i < 11; i++) protobuf::AppendBytesField(1, "", bytes);
    CHECK(reader.Open(WriteVersion::kV1, bytes, 10) == Opened::kTooMuch);
    CHECK(reader.Open(WriteVersion::kV1, bytes, 11) == Opened::kGood);
  }
  SECTION("symbols") {
    for (int i = 0; i < 11; i++) protobuf::AppendBytesField(4, "", bytes);
    CHECK(reader.Open(WriteVersion::kV2, bytes, 10) == Opened::kTooMuch);
  }
  SECTION("samples of a series") {
    protobuf::AppendBytesField(1, inner, bytes);
    REQUIRE(reader.Open(WriteVersion::kV1, bytes, 10) == Opened::kGood);
    CHECK(!reader.ReadSeries(0, series));
  }
  SECTION("a histogram") {
    const std::string large(WriteRequestReader::kHistogramBytesMax + 1, '\0');
    WriteHistogram histogram;
    REQUIRE(reader.Open(WriteVersion::kV1, bytes, 10) == Opened::kGood);
    CHECK(!reader.ReadHistogram(large, histogram));
  }
}

TEST_CASE("write request reader: the labels of a series may be scattered") {
  std::string label, series_bytes, bytes;
  protobuf::AppendBytesField(1, "a", label);
  protobuf::AppendBytesField(2, "b", label);
  protobuf::AppendBytesField(1, label, series_bytes);
  protobuf::AppendBytesField(2, "", series_bytes);
  protobuf::AppendBytesField(1, label, series_bytes);
  protobuf::AppendBytesField(1, series_bytes, bytes);
  CHECK(FastWriteRequestText(WriteVersion::kV1, bytes) == "series a=b,a=b,\n  0 0 0\n");
}

TEST_CASE("write request reader: a start time of the whole series is read") {
  std::string series_bytes, bytes;
  protobuf::AppendVarintField(6, 123, series_bytes);
  protobuf::AppendBytesField(5, series_bytes, bytes);
  WriteRequestReader reader;
  WriteSeries series;
  REQUIRE(reader.Open(WriteVersion::kV2, bytes, 10) == Opened::kGood);
  REQUIRE(reader.ReadSeries(0, series));
  CHECK(series.start == 123);
}

}  // namespace
}  // namespace tributary
