// The rules by which what the compressor makes may be patched, read off its elements one by one.
#include "agent/frame/hole_compressor.h"

#include <snappy.h>

#include <random>

#include "common/base/varint.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

struct Entry {
  std::string head, tail;
};

std::string Raw(const std::vector<Entry>& entries) {
  std::string raw;
  for (const Entry& entry : entries) {
    raw +=
        entry.head + std::string(kValueBytes, '\0') + "\x10\x80\x80\x80\x80\x80\x01" + entry.tail;
  }
  return raw;
}

HoleCompressor::Output Compress(const std::vector<Entry>& entries, FrameTimes times) {
  HoleCompressor compressor;
  compressor.Begin(times);
  for (const Entry& entry : entries) REQUIRE(compressor.Add(entry.head, 4, entry.tail));
  return compressor.Finish();
}

std::string Inflate(const HoleCompressor::Output& output) {
  std::string stream, raw;
  PutVarint(stream, output.raw_bytes);
  stream += output.bytes;
  REQUIRE(snappy::Uncompress(stream.data(), stream.size(), &raw));
  return raw;
}

struct Element {
  bool is_literal;
  size_t raw_begin, raw_end;
  size_t from;  // of a copy: raw; of a literal: in the stream
};

std::vector<Element> ElementsOf(const std::string& bytes) {
  std::vector<Element> elements;
  size_t raw = 0;
  auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(bytes.at(i))); };
  for (size_t i = 0; i < bytes.size();) {
    const size_t tag = at(i++);
    size_t size = 0;
    if ((tag & 3) == 0) {
      const size_t form = tag >> 2;
      REQUIRE(form <= 61);
      size = (form < 60 ? form : at(i++)) + 1;
      if (form == 61) size += at(i++) << 8;
      elements.push_back({true, raw, raw + size, i});
      i += size;
    } else {
      REQUIRE((tag & 3) != 3);
      const bool is_short = (tag & 3) == 1;
      size = is_short ? 4 + (tag >> 2 & 7) : (tag >> 2) + 1;
      const size_t offset = is_short ? (tag >> 5) << 8 | at(i) : at(i) | at(i + 1) << 8;
      i += is_short ? 1 : 2;
      REQUIRE(offset > 0);
      REQUIRE(offset <= raw);
      elements.push_back({false, raw, raw + size, raw - offset});
    }
    raw += size;
  }
  return elements;
}

void CheckRules(const std::vector<Entry>& entries, FrameTimes times) {
  const HoleCompressor::Output output = Compress(entries, times);
  const std::string raw = Raw(entries);
  REQUIRE(output.raw_bytes == raw.size());
  REQUIRE(Inflate(output) == raw);
  REQUIRE(output.holes.size() == entries.size());

  // What each raw byte is: 0 like others, 1 of a value, 2 + i the i-th of a time.
  std::vector<int> kind(raw.size());
  std::vector<size_t> values;
  size_t at = 0;
  for (const Entry& entry : entries) {
    at += entry.head.size();
    values.push_back(at);
    for (size_t i = 0; i < kValueBytes; i++) kind[at + i] = 1;
    for (size_t i = 0; i < kTimeBytes; i++) kind[at + kTimeFromValue + i] = 2 + static_cast<int>(i);
    at += kTimeFromValue + kTimeBytes + entry.tail.size();
  }
  size_t hole = 0, hole_at = 0;
  for (const Element& element : ElementsOf(output.bytes)) {
    if (!element.is_literal) {
      bool good = true;
      for (size_t i = element.raw_begin; i < element.raw_end; i++) {
        const size_t from = element.from + (i - element.raw_begin);
        // No value; and a copied time is that of another entry, byte for byte.
        good = good && kind[i] != 1 && kind[from] == kind[i] &&
               (kind[i] == 0 || times == FrameTimes::kShared);
      }
      REQUIRE(good);
      continue;
    }
    for (; hole < values.size() && values[hole] < element.raw_end; hole++) {
      hole_at += output.holes[hole];
      REQUIRE(values[hole] >= element.raw_begin);
      REQUIRE(hole_at == element.from + values[hole] - element.raw_begin);
      const bool has_time = times == FrameTimes::kOwn || hole == 0;
      REQUIRE(values[hole] + (has_time ? kTimeFromValue + kTimeBytes : kValueBytes) <=
              element.raw_end);
    }
    bool good = true;
    for (size_t i = element.raw_begin; i < element.raw_end; i++) {
      good = good && (kind[i] < 2 || times == FrameTimes::kOwn ||
                      i < values[0] + kTimeFromValue + kTimeBytes);
    }
    REQUIRE(good);
  }
  REQUIRE(hole == values.size());
}

}  // namespace

TEST_CASE("hole compressor: values are in literals, times are literals or copies of times") {
  const uint64_t seed = Catch::rngSeed();
  INFO("seed " << seed);
  for (uint64_t round = 0; round < 300; round++) {
    std::mt19937_64 random(seed * 1'000'003 + round);
    // Few distinct bytes, among them those that stand where times will be: chance matches galore.
    const std::string alphabet =
        random() % 2 == 0 ? std::string("\x10\x80\x80\x80\x01", 5) : std::string("abc\0", 4);
    auto text = [&](size_t size_max) {
      std::string bytes(random() % size_max, ' ');
      for (char& c : bytes) c = alphabet[random() % alphabet.size()];
      return bytes;
    };
    std::vector<Entry> entries(1 + random() % (random() % 10 == 0 ? kBlockEntriesMax : 20));
    const std::string common = text(100);
    for (Entry& entry : entries) {
      entry.head = (random() % 2 == 0 ? common : "") + text(random() % 20 == 0 ? 9000 : 12);
      if (random() % 2 == 0) entry.tail = text(10);
    }
    CheckRules(entries, FrameTimes::kShared);
    CheckRules(entries, FrameTimes::kOwn);
  }
}

TEST_CASE("hole compressor: entries as long as they may be keep times and holes in reach") {
  std::mt19937_64 random(1);
  auto noise = [&](size_t size) {
    std::string bytes(size, ' ');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  };
  const size_t head = kEntryBytesMax - kTimeFromValue - kTimeBytes - kTailBytesMax;
  const std::vector<Entry> entries = {{noise(head), noise(kTailBytesMax)},
                                      {noise(head), noise(kTailBytesMax)},
                                      {"short", ""},
                                      {noise(head), ""},
                                      {noise(head), noise(kTailBytesMax)}};
  CheckRules(entries, FrameTimes::kShared);
  CheckRules(entries, FrameTimes::kOwn);
}

TEST_CASE("hole compressor: what is beyond its bounds is refused") {
  HoleCompressor compressor;
  compressor.Begin(FrameTimes::kShared);
  CHECK_FALSE(compressor.Add(std::string(kEntryBytesMax, 'x'), 1, ""));
  CHECK_FALSE(compressor.Add("x", 1, std::string(kTailBytesMax + 1, 'x')));
  for (size_t i = 0; i < kBlockEntriesMax; i++) REQUIRE(compressor.Add("x", 1, ""));
  CHECK_FALSE(compressor.Add("x", 1, ""));
  compressor.Begin(FrameTimes::kOwn);
  const std::string large(kEntryBytesMax - 15, 'x');
  for (size_t i = 0; i < kBlockBytesMax / kEntryBytesMax; i++)
    REQUIRE(compressor.Add(large, 1, ""));
  CHECK_FALSE(compressor.Add(large, 1, ""));
}

TEST_CASE("hole compressor: what repeats costs a few bytes") {
  std::vector<Entry> entries;
  for (int i = 0; i < 100; i++) {
    entries.push_back({"the same sixty-four bytes in each of the entries, or nearly so: " +
                           std::to_string(1000 + i) + " and fifteen more",
                       ""});
  }
  // The value and its tag: 9; two copies: 6; the number that differs: 2 or 3; the rest.
  CHECK(Compress(entries, FrameTimes::kShared).bytes.size() < 100 + 100 * 22);
  // A tag and a time more.
  CHECK(Compress(entries, FrameTimes::kOwn).bytes.size() < 100 + 100 * 29);
}

}  // namespace tributary
