#include "common/compress/deflate.h"

#include <zlib.h>

#include <random>
#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

// What zlib reads; nothing if it is not exactly one gzip stream.
std::string Inflated(const std::string& gzip, size_t size) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string in = gzip;
  std::string out(size + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  CHECK(stream.avail_in == 0);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST_CASE("gzip: zlib reads what was compressed, whatever it is") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const size_t size : {0, 1, 2, 100, 65534, 65535, 65536, 131070, 131071, 1'000'000}) {
    CAPTURE(size);
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    CHECK(Inflated(Gzip(noise), size) == noise);
    const std::string plain(size, 'x');
    CHECK(Inflated(Gzip(plain), size) == plain);
  }
}

TEST_CASE("gzip: what repeats becomes short") {
  std::string text;
  for (int i = 0; i < 1000; i++) text += "http.request.method=GET url.full=http://a.test/metrics\n";
  CHECK(Gzip(text).size() < text.size() / 10);
}

}  // namespace
}  // namespace tributary
