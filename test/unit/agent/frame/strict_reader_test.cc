// The strict reader complains where it should: what it says of frames would be worth nothing else.
#include <snappy.h>

#include "common/wire/protobuf_writer.h"
#include "test/support/catch.h"
#include "test/support/strict_write_request.h"
#include "test/unit/agent/frame/frame_world.h"

namespace tributary {
namespace {

using protobuf::AppendBytesField;
using protobuf::AppendDoubleField;
using protobuf::AppendVarintField;

std::string Literal(const std::string& raw) {
  std::string stream;
  snappy::Compress(raw.data(), raw.size(), &stream);
  return stream;
}

std::string Field(uint32_t field, const std::string& bytes) {
  std::string out;
  AppendBytesField(field, bytes, out);
  return out;
}

std::string Sample(TimestampMs time) {
  std::string out;
  AppendDoubleField(1, 1.5, out);
  AppendVarintField(2, static_cast<uint64_t>(time), out);
  return out;
}

std::string V1(const Labels& labels, const std::string& rest) {
  return Field(1, EncodeLabels(labels) + rest);
}

std::string ErrorOf(const std::string& raw, bool is_v2 = false) {
  return ReadStrictly(Literal(raw), is_v2).error;
}

}  // namespace

TEST_CASE("strict reader: takes what is good, of both versions") {
  CHECK(ErrorOf(V1({{"a", "b"}, {"c", "d"}}, Field(2, Sample(5)))) == "");
  const std::string symbols = Field(4, "") + Field(4, "a") + Field(4, "b");
  CHECK(ErrorOf(symbols + Field(5, Field(1, "\x01\x02") + Field(2, Sample(5))), true) == "");
}

TEST_CASE("strict reader: refuses protobuf that others would take") {
  const Labels labels{{"a", "b"}};
  // A varint of two bytes where one would do.
  const std::string sample = Sample(5);
  const std::string padded = sample.substr(0, sample.size() - 1) + std::string("\x85\x00", 2);
  CHECK(ErrorOf(V1(labels, Field(2, padded))) != "");
  CHECK(ErrorOf(V1(labels, Field(2, sample.substr(9) + sample.substr(0, 9)))) != "");
  CHECK(ErrorOf(V1(labels, Field(2, sample) + Field(2, sample))) != "");
  CHECK(ErrorOf(V1(labels, Field(2, sample) + Field(9, ""))) != "");
  CHECK(ErrorOf(V1(labels, "")) != "");
  CHECK(ErrorOf(V1({}, Field(2, sample))) != "");
  CHECK(ErrorOf(Field(
            1, EncodeLabels({{"b", "x"}}) + EncodeLabels({{"a", "x"}}) + Field(2, sample))) != "");
  CHECK(ErrorOf(Field(7, "")) != "");
}

TEST_CASE("strict reader: refuses symbols that are not as they should be") {
  const std::string series = Field(5, Field(1, "\x01\x02") + Field(2, Sample(5)));
  CHECK(ErrorOf(Field(4, "a") + Field(4, "b") + Field(4, "c") + series, true) != "");
  CHECK(ErrorOf(Field(4, "") + Field(4, "a") + Field(4, "a") + series, true) != "");
  CHECK(ErrorOf(Field(4, "") + Field(4, "a") + series, true) != "");
  CHECK(ErrorOf(series, true) != "");
  const std::string odd = Field(5, Field(1, "\x01") + Field(2, Sample(5)));
  CHECK(ErrorOf(Field(4, "") + Field(4, "a") + odd, true) != "");
}

TEST_CASE("strict reader: refuses snappy that is not as it should be") {
  const std::string raw = V1({{"a", "b"}}, Field(2, Sample(5)));
  const std::string good = Literal(raw);
  CHECK(ReadStrictly(good, false).error == "");
  CHECK(ReadStrictly(good.substr(0, good.size() - 1), false).error != "");
  std::string wrong_length = good;
  wrong_length[0]++;
  CHECK(ReadStrictly(wrong_length, false).error != "");
  // Copies of four bytes: from before the beginning, from nowhere, by an offset of four bytes.
  for (const char* copy : {"\x01\xff", "\x0e\x00\x00", "\x0f\x01\x00\x00\x00"}) {
    const size_t size = copy[0] == '\x01' ? 2 : copy[0] == '\x0e' ? 3 : 5;
    std::string stream = good + std::string(copy, size);
    stream[0] = static_cast<char>(stream[0] + 4);
    CHECK(ReadStrictly(stream, false).error != "");
  }
}

}  // namespace tributary
