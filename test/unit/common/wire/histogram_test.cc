#include "common/wire/histogram.h"

#include <bit>
#include <random>
#include <string>

#include "remote.pb.h"
#include "remote_v2.pb.h"
#include "test/support/catch.h"
#include "test/unit/common/wire/random_histogram.h"

namespace tributary {
namespace {

// What libprotobuf would write for it.
template <typename Message>
Message MessageOf(const NativeHistogram& h) {
  Message message;
  if (h.is_float) {
    message.set_count_float(h.count_float);
    message.set_zero_count_float(h.zero_count_float);
  } else {
    message.set_count_int(h.count);
    message.set_zero_count_int(h.zero_count);
  }
  message.set_sum(h.sum);
  message.set_schema(h.schema);
  message.set_zero_threshold(h.zero_threshold);
  auto add_span = [](auto* span, const BucketSpan& from) {
    span->set_offset(from.offset);
    span->set_length(from.length);
  };
  for (const BucketSpan& span : h.negative_spans) add_span(message.add_negative_spans(), span);
  for (const BucketSpan& span : h.positive_spans) add_span(message.add_positive_spans(), span);
  for (int64_t delta : h.negative_deltas) message.add_negative_deltas(delta);
  for (int64_t delta : h.positive_deltas) message.add_positive_deltas(delta);
  for (double count : h.negative_counts) message.add_negative_counts(count);
  for (double count : h.positive_counts) message.add_positive_counts(count);
  for (double bound : h.custom_values) message.add_custom_values(bound);
  using Hint = decltype(message.reset_hint());
  message.set_reset_hint(static_cast<Hint>(h.reset_hint));
  return message;
}

TEST_CASE("histogram: libprotobuf writes the same bytes, in both versions of the protocol") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; round++) {
    const NativeHistogram histogram = RandomHistogram(random);
    std::string bytes = "before";
    EncodeHistogram(histogram, bytes);
    const std::string expected =
        "before" + MessageOf<test::remote::Histogram>(histogram).SerializeAsString();
    REQUIRE(bytes == expected);
    REQUIRE(bytes ==
            "before" + MessageOf<test::remote::v2::Histogram>(histogram).SerializeAsString());
  }
}

TEST_CASE("histogram: what was encoded is decoded, and what libprotobuf writes") {
  const auto seed = static_cast<uint64_t>(Catch::rngSeed());
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  NativeHistogram decoded;
  for (int round = 0; round < 2000; round++) {
    const NativeHistogram histogram = RandomHistogram(random);
    std::string bytes;
    EncodeHistogram(histogram, bytes);
    REQUIRE(DecodeHistogram(bytes, decoded));
    std::string again;
    EncodeHistogram(decoded, again);
    REQUIRE(again == bytes);
    auto message = MessageOf<test::remote::Histogram>(histogram);
    message.set_timestamp(12345);
    REQUIRE(DecodeHistogram(message.SerializeAsString(), decoded));
  }
}

TEST_CASE("histogram: cut and broken bytes are decoded, or refused") {
  const auto seed = static_cast<uint64_t>(Catch::rngSeed());
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  NativeHistogram decoded;
  for (int round = 0; round < 2000; round++) {
    std::string bytes;
    EncodeHistogram(RandomHistogram(random), bytes);
    bytes.resize(random() % (bytes.size() + 1));
    if (!bytes.empty()) bytes[random() % bytes.size()] = static_cast<char>(random());
    DecodeHistogram(bytes, decoded);
  }
  CHECK_FALSE(DecodeHistogram("\x09", decoded));
  CHECK_FALSE(DecodeHistogram("\x42\x7f", decoded));
  CHECK(DecodeHistogram("", decoded));
}

TEST_CASE("histogram: counts of zero are written, as they say which kind it is") {
  NativeHistogram histogram;
  std::string bytes;
  EncodeHistogram(histogram, bytes);
  CHECK(bytes == std::string("\x08\x00\x30\x00", 4));
  histogram.is_float = true;
  bytes.clear();
  EncodeHistogram(histogram, bytes);
  CHECK(bytes == "\x11" + std::string(8, '\0') + "\x39" + std::string(8, '\0'));
}

TEST_CASE("histogram: the sum of a stale marker keeps its bits") {
  NativeHistogram histogram;
  histogram.sum = std::bit_cast<double>(uint64_t{0x7ff0000000000002});
  std::string bytes;
  EncodeHistogram(histogram, bytes);
  test::remote::Histogram decoded;
  REQUIRE(decoded.ParseFromString(bytes));
  CHECK(std::bit_cast<uint64_t>(decoded.sum()) == 0x7ff0000000000002);
}

}  // namespace
}  // namespace tributary
