#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "common/compress/inflate.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

using namespace std::string_view_literals;

struct GzipOptions {
  int level = 6;
  int strategy = Z_DEFAULT_STRATEGY;
  std::string name;
  std::string comment;
  std::string extra;
  bool header_checksum = false;
};

// What zlib makes of `data`.
std::string Gzip(std::string_view data, const GzipOptions& options = {}) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, options.level, Z_DEFLATED, 15 + 16, 8, options.strategy) == Z_OK);
  std::string name = options.name;
  std::string comment = options.comment;
  std::string extra = options.extra;
  gz_header header{};
  if (!name.empty()) header.name = reinterpret_cast<Bytef*>(name.data());
  if (!comment.empty()) header.comment = reinterpret_cast<Bytef*>(comment.data());
  if (!extra.empty()) {
    header.extra = reinterpret_cast<Bytef*>(extra.data());
    header.extra_len = static_cast<uInt>(extra.size());
  }
  header.hcrc = options.header_checksum ? 1 : 0;
  REQUIRE(deflateSetHeader(&stream, &header) == Z_OK);
  std::string in(data);
  std::string out(deflateBound(&stream, data.size()) + 1024 + extra.size() + name.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Outcome {
  bool good = false;
  std::string data;
  std::string message;
};

// Pushes `gzip` in pieces of at most `piece_max` bytes (0: all at once; random sizes).
Outcome Inflate(Gunzip& gunzip, std::string_view gzip, size_t piece_max, std::mt19937_64& random) {
  Outcome outcome;
  const auto sink = [&](std::string_view piece) {
    CHECK(piece.size() <= 64 * 1024);
    CHECK(!piece.empty());
    outcome.data += piece;
    return true;
  };
  while (!gzip.empty()) {
    const size_t size = piece_max == 0 ? gzip.size() : 1 + random() % piece_max;
    const Result<bool> pushed = gunzip.Push(gzip.substr(0, size), sink);
    if (!pushed) {
      outcome.message = pushed.error().message;
      return outcome;
    }
    CHECK(*pushed);
    gzip.remove_prefix(std::min(size, gzip.size()));
  }
  const Status finished = gunzip.Finish();
  outcome.good = finished.has_value();
  if (!finished) outcome.message = finished.error().message;
  return outcome;
}

Outcome Inflate(std::string_view gzip, size_t piece_max = 0) {
  Gunzip gunzip;
  std::mt19937_64 random(1);
  return Inflate(gunzip, gzip, piece_max, random);
}

// From all zeros to noise, with repeats near and far.
std::string RandomData(std::mt19937_64& random, size_t size_max) {
  const size_t size = random() % (size_max + 1);
  const uint64_t alphabet = 1 + random() % (random() % 2 == 0 ? 4 : 256);
  std::string data;
  while (data.size() < size) {
    if (!data.empty() && random() % 4 == 0) {
      const size_t distance = 1 + random() % std::min<size_t>(data.size(), 33000);
      for (size_t n = 3 + random() % 300; n > 0; --n) data += data[data.size() - distance];
    } else {
      for (size_t n = random() % 50; n > 0; --n) data += static_cast<char>(random() % alphabet);
    }
  }
  data.resize(size);
  return data;
}

TEST_CASE("gunzip: gives back what zlib packed, whatever the pieces") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Gunzip gunzip;
  for (int round = 0; round < 300; ++round) {
    const std::string data = RandomData(random, round % 10 == 0 ? 400000 : 5000);
    GzipOptions options;
    options.level = static_cast<int>(random() % 10);
    options.strategy = static_cast<int>(random() % 5);
    const std::string gzip = Gzip(data, options);
    const size_t piece_max = std::min<size_t>(size_t{1} << random() % 18, gzip.size());
    gunzip.Reset();
    const Outcome outcome = Inflate(gunzip, gzip, random() % 5 == 0 ? 0 : piece_max, random);
    INFO("round " << round << " level " << options.level << " strategy " << options.strategy);
    CHECK(outcome.message.empty());
    REQUIRE(outcome.good);
    REQUIRE((outcome.data == data));
  }
}

TEST_CASE("gunzip: every field of the header may be there, in pieces of a byte") {
  GzipOptions options;
  options.name = "metrics.txt";
  options.comment = "a comment with \xe9";
  options.extra = std::string("\0\1extra\0", 8);
  options.header_checksum = true;
  const std::string gzip = Gzip("hello", options);
  for (const size_t piece_max : {0, 1, 3}) {
    const Outcome outcome = Inflate(gzip, piece_max);
    CHECK(outcome.good);
    CHECK(outcome.data == "hello");
  }
  for (size_t i = 10; i + 8 < gzip.size() - 7; ++i) {
    std::string damaged = gzip;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    INFO("flip in byte " << i);
    CHECK_FALSE(Inflate(damaged).good);
  }
  options.name = std::string(511, 'n');
  CHECK(Inflate(Gzip("hello", options), 7).good);
  options.name += 'n';
  CHECK_FALSE(Inflate(Gzip("hello", options), 7).good);
}

TEST_CASE("gunzip: an extra field of length zero is read") {
  std::string gzip = Gzip("hello");
  gzip[3] = 4;
  gzip.insert(10, std::string(2, '\0'));
  CHECK(Inflate(gzip).data == "hello");
  CHECK(Inflate(gzip, 1).good);
}

TEST_CASE("gunzip: a stream cut anywhere is an error at the end, and none before") {
  const std::string gzip = Gzip("some text, some text, and some more text 12345678901234567890");
  for (size_t size = 0; size < gzip.size(); ++size) {
    INFO("cut to " << size);
    for (const size_t piece_max : {0, 1}) {
      Gunzip gunzip;
      std::mt19937_64 random(size);
      const Outcome outcome =
          Inflate(gunzip, std::string_view(gzip).substr(0, size), piece_max, random);
      CHECK_FALSE(outcome.good);
      CHECK(outcome.message ==
            (size == 0 ? "gzip: the body is empty" : "gzip: the data ends too early"));
    }
  }
}

TEST_CASE("gunzip: no flipped bit gives other data") {
  const std::string data = "m{a=\"1\"} 1\nm{a=\"2\"} 2\nm{a=\"3\"} 3\nm{a=\"1\"} 1\n";
  for (const int level : {0, 1, 9}) {
    GzipOptions options;
    options.level = level;
    const std::string gzip = Gzip(data, options);
    for (size_t bit = 0; bit < gzip.size() * 8; ++bit) {
      std::string damaged = gzip;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      const Outcome outcome = Inflate(damaged, bit % 3);
      INFO("level " << level << " bit " << bit);
      // Flags that mean nothing, time, extra flags, system, and what fills up a stored block's
      // first byte are not checked by anyone.
      const size_t byte = bit / 8;
      const bool unchecked = (byte >= 4 && byte < 10) ||
                             (byte == 3 && (bit % 8 == 0 || bit % 8 >= 5)) ||
                             (level == 0 && byte == 10 && bit % 8 >= 3);
      CHECK(outcome.good == unchecked);
      if (outcome.good) CHECK(outcome.data == data);
    }
  }
}

TEST_CASE("gunzip: checksum and length of the trailer are both verified") {
  const std::string gzip = Gzip("hello, hello, hello");
  for (size_t from_end = 1; from_end <= 8; ++from_end) {
    for (const size_t piece_max : {0, 1}) {
      std::string damaged = gzip;
      damaged[gzip.size() - from_end] = static_cast<char>(damaged[gzip.size() - from_end] ^ 0x10);
      const Outcome outcome = Inflate(damaged, piece_max);
      CHECK_FALSE(outcome.good);
      CHECK(outcome.message == "gzip: wrong checksum or length, the data is damaged");
    }
  }
}

TEST_CASE("gunzip: members in a row are one stream") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    std::string data;
    std::string gzip;
    for (size_t members = 1 + random() % 5; members > 0; --members) {
      const std::string part = RandomData(random, 2000);  // empty ones too
      data += part;
      gzip += Gzip(part);
    }
    Gunzip gunzip;
    const Outcome outcome = Inflate(gunzip, gzip, round % 3 == 0 ? 0 : 1 + random() % 100, random);
    CHECK(outcome.good);
    CHECK((outcome.data == data));
  }
}

TEST_CASE("gunzip: what is not gzip after a member is an error, as in Go") {
  for (const std::string_view tail : {"\0"sv, "x"sv, "garbage"sv, "\x1f\x8b\x09"sv}) {
    for (const size_t piece_max : {0, 1}) {
      const Outcome outcome = Inflate(Gzip("hello") + std::string(tail), piece_max);
      CHECK_FALSE(outcome.good);
      CHECK(outcome.message == "gzip: garbage after the end of the data");
      CHECK(outcome.data == "hello");
    }
  }
  CHECK(Inflate(Gzip("hello") + "\x1f\x8b").message == "gzip: the data ends too early");
}

TEST_CASE("gunzip: plain text is refused at its first byte") {
  const Outcome outcome = Inflate("m 1\n");
  CHECK_FALSE(outcome.good);
  CHECK(outcome.message == "gzip: invalid header (the body is not gzip)");
}

TEST_CASE("gunzip: an empty member is good and gives nothing") {
  const Outcome outcome = Inflate(Gzip(""));
  CHECK(outcome.good);
  CHECK(outcome.data.empty());
}

TEST_CASE("gunzip: a bomb costs no more than its reader takes") {
  GzipOptions best;
  best.level = 9;
  const std::string bomb = Gzip(std::string(50'000'000, '\0'), best);
  REQUIRE(bomb.size() < 60'000);
  Gunzip gunzip;
  size_t taken = 0;
  size_t calls = 0;
  const auto sink = [&](std::string_view piece) {
    ++calls;
    taken += piece.size();
    return taken < 100'000;
  };
  const Result<bool> pushed = gunzip.Push(bomb, sink);
  REQUIRE(pushed.has_value());
  CHECK_FALSE(*pushed);
  CHECK(taken >= 100'000);
  CHECK(taken < 100'000 + 64 * 1024);
  const size_t calls_until_stop = calls;
  CHECK_FALSE(*gunzip.Push(bomb, sink));
  CHECK(calls == calls_until_stop);
  CHECK_FALSE(gunzip.Finish().has_value());
  gunzip.Reset();
  std::mt19937_64 random(1);
  CHECK(Inflate(gunzip, Gzip("again"), 0, random).data == "again");
}

TEST_CASE("gunzip: an error stays until the reset") {
  Gunzip gunzip;
  const auto sink = [](std::string_view) { return true; };
  CHECK_FALSE(gunzip.Push("nonsense", sink).has_value());
  CHECK_FALSE(gunzip.Push(Gzip("good"), sink).has_value());
  CHECK_FALSE(gunzip.Finish().has_value());
  gunzip.Reset();
  CHECK(gunzip.Push(Gzip("good"), sink).has_value());
  CHECK(gunzip.Finish().has_value());
}

TEST_CASE("gunzip: noise never crashes, and is not taken for data") {
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string gzip = Gzip(RandomData(random, 1000));
    for (size_t flips = 1 + random() % 8; flips > 0; --flips) {
      gzip[10 + random() % (gzip.size() - 10)] = static_cast<char>(random());
    }
    const Outcome once = Inflate(gzip);
    const Outcome pieces = Inflate(gzip, 1 + random() % 20);
    CHECK(once.good == pieces.good);
    if (once.good) CHECK((once.data == pieces.data));
  }
}

}  // namespace
}  // namespace tributary
