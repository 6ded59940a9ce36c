#include "common/compress/gzip_stream.h"

#include <random>

#include "common/compress/inflate.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

std::string Inflated(const std::string& gzip) {
  Gunzip gunzip;
  std::string out;
  CHECK(gunzip.Push(gzip, [&](std::string_view bytes) {
    out += bytes;
    return true;
  }));
  CHECK(gunzip.Finish().has_value());
  return out;
}

TEST_CASE("gzip stream: what was pushed in pieces comes out whole") {
  const auto seed = static_cast<uint64_t>(Catch::rngSeed());
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; round++) {
    GzipStream stream;
    std::string text, gzip;
    const bool noise = round % 3 == 0;
    for (uint64_t pieces = random() % 6; pieces > 0; pieces--) {
      std::string piece(random() % 200'000, 'x');
      for (char& c : piece) c = static_cast<char>(noise ? random() : 'a' + random() % 4);
      stream.Push(piece, gzip);
      text += piece;
    }
    stream.Finish(gzip);
    CHECK(Inflated(gzip) == text);
    if (!noise && text.size() > 10'000) CHECK(gzip.size() < text.size() / 2);
  }
}

}  // namespace
}  // namespace tributary
