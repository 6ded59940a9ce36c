#include "common/otlp/trace_response.h"

#include <random>
#include <string>

#include "test/support/catch.h"
#include "trace.pb.h"

namespace tributary {
namespace {

TEST_CASE("otlp: what a receiver did not take is read from its answer") {
  test::trace::Response response;
  response.mutable_partial_success()->set_rejected_spans(7);
  response.mutable_partial_success()->set_error_message("too many");
  const std::string bytes = response.SerializeAsString();
  auto partial = ParseTraceResponse(bytes);
  REQUIRE(partial);
  CHECK(partial->rejected_spans == 7);
  CHECK(partial->message == "too many");

  partial = ParseTraceResponse("");
  REQUIRE(partial);
  CHECK(partial->rejected_spans == 0);
  CHECK(partial->message.empty());
  // Fields that are not known are passed over.
  CHECK(ParseTraceResponse(std::string("\x10\x05\x1d"
                                       "1234\x21"
                                       "12345678\x2a\x02zz",
                                       20) +
                           bytes)
            ->rejected_spans == 7);
  // Nor what has the number of one that is, and another type.
  CHECK(
      ParseTraceResponse(std::string("\x09\x08\x09\x08\x09\x08\x09\x08\x09", 9))->rejected_spans ==
      0);
  // Whatever is cut off is no answer, but where a whole field ends.
  for (size_t size = 1; size < bytes.size(); size++) {
    CHECK_FALSE(ParseTraceResponse(bytes.substr(0, size)));
  }
}

TEST_CASE("otlp: any bytes can be an answer") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  size_t read = 0;
  for (int round = 0; round < 20'000; round++) {
    std::string bytes(random() % 12, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 32);
    const auto ours = ParseTraceResponse(bytes);
    test::trace::Response theirs;
    // Libprotobuf is stricter (groups, UTF-8, field 0): what it reads, we read alike.
    if (!theirs.ParseFromString(bytes)) continue;
    if (!ours) continue;
    read++;
    CHECK(ours->rejected_spans == theirs.partial_success().rejected_spans());
  }
  CHECK(read > 100);
}

}  // namespace
}  // namespace tributary
