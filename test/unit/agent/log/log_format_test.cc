#include "agent/log/log_format.h"

#include <random>
#include <vector>

#include "agent/log/record_stream.h"
#include "test/support/catch.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {
namespace {

TEST_CASE("log format: CRC-32C is Castagnoli's") {
  CHECK(Crc32c("123456789") == 0xe3069283);  // RFC 3720, B.4 and its usual check value
  CHECK(Crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(Crc32c("") == 0);
}

TEST_CASE("log format: what is written is read, whatever it is") {
  const auto seed = GENERATE(range(1u, 201u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const uint32_t series = 1 + random() % (seed % 10 == 0 ? kGroupSeriesMax : 130);
  const GroupRef group = RandomGroup(random, random(), series);
  const GroupSamples samples = RandomSamples(random, group, 1'700'000'000'000 + random() % 1000);
  const LogPosition position = random() >> (random() % 60);
  std::string bytes;
  AppendDefinition(*group, bytes);
  if (samples.metadata) AppendMetadata(group->id(), *samples.metadata, series, bytes);
  if (samples.starts) AppendStarts(group->id(), *samples.starts, bytes);
  AppendSamples(position, samples, bytes);
  AppendCommit({group->target_key(), 17, {1, 2, 3}}, bytes);

  MetadataPool pool;
  RecordStream stream(0);
  stream.Push(bytes, true);
  GroupSamples read;
  Record record;
  bool committed = false;
  while (stream.Next(record)) {
    std::string_view payload = record.payload;
    switch (record.type) {
      case RecordType::kDefinition: {
        auto definition = DecodeDefinition(payload);
        REQUIRE(definition);
        CHECK(definition->group == group->id());
        CHECK(definition->generation == group->generation());
        auto decoded = GroupDefinition::FromCompressed(
            definition->target_key, definition->generation, definition->series,
            definition->compressed);
        REQUIRE(decoded);
        read.group = *decoded;
        break;
      }
      case RecordType::kMetadata: {
        REQUIRE(DecodeGroup(payload) == group->id());
        auto metadata = DecodeMetadata(payload, series, pool);
        REQUIRE(metadata);
        read.metadata = *metadata;
        break;
      }
      case RecordType::kStarts: {
        REQUIRE(DecodeGroup(payload) == group->id());
        auto starts = DecodeStarts(payload, series);
        REQUIRE(starts);
        read.starts = *starts;
        break;
      }
      case RecordType::kSamples: {
        auto head = DecodeSamplesHead(payload);
        REQUIRE(head);
        CHECK(head->position == position);
        CHECK(head->group == group->id());
        CHECK(head->has_metadata == (samples.metadata != nullptr));
        CHECK(head->has_starts == (samples.starts != nullptr));
        REQUIRE(DecodeSamples(payload, series, read));
        break;
      }
      case RecordType::kCommit: {
        auto mark = DecodeCommit(payload);
        REQUIRE(mark);
        CHECK(mark->target_key == group->target_key());
        CHECK(mark->wall_ms == 17);
        CHECK(mark->end == SampleCounts{1, 2, 3});
        committed = true;
        break;
      }
      case RecordType::kFooter:
        FAIL("there is none");
    }
  }
  CHECK(committed);
  CHECK(stream.damages() == 0);
  CHECK(stream.offset() == bytes.size());
  CHECK(TextOf(read) == TextOf(samples));
}

TEST_CASE("log format: damaged payloads are refused, not believed") {
  // With good checksums, as if the writer were wrong.
  std::mt19937_64 random(7);
  MetadataPool pool;
  for (int round = 0; round < 20'000; round++) {
    const uint32_t series = 1 + random() % 100;
    const GroupRef group = RandomGroup(random, 1, series);
    const GroupSamples samples = RandomSamples(random, group, 1000);
    std::string bytes;
    switch (round % 4) {
      case 0:
        AppendSamples(5, samples, bytes);
        break;
      case 1:
        AppendDefinition(*group, bytes);
        break;
      case 2:
        if (samples.metadata == nullptr) continue;
        AppendMetadata(1, *samples.metadata, series, bytes);
        break;
      default:
        if (samples.starts == nullptr) continue;
        AppendStarts(1, *samples.starts, bytes);
    }
    std::string payload = bytes.substr(kRecordHeaderBytes);
    for (uint64_t n = 1 + random() % 3; n > 0 && !payload.empty(); n--) {
      payload[random() % payload.size()] = static_cast<char>(random());
    }
    payload.resize(random() % 3 == 0 ? random() % (payload.size() + 1) : payload.size());
    std::string_view rest = payload;
    GroupSamples read;
    read.group = group;
    switch (round % 4) {
      case 0:
        if (DecodeSamplesHead(rest) && DecodeSamples(rest, series, read)) {
          REQUIRE(read.present.size() == (series + 63) / 64);
          for (const OwnSample& own : read.own) REQUIRE(own.index < series);
        }
        break;
      case 1:
        if (auto definition = DecodeDefinition(rest)) {
          auto decoded = GroupDefinition::FromCompressed(1, 1, definition->series,
                                                         definition->compressed);
          if (decoded) REQUIRE((*decoded)->Decode().size() == definition->series);
        }
        break;
      case 2:
        if (DecodeGroup(rest)) static_cast<void>(DecodeMetadata(rest, series, pool));
        break;
      default:
        if (DecodeGroup(rest)) static_cast<void>(DecodeStarts(rest, series));
    }
  }
}

TEST_CASE("log format: headers and footers") {
  const SegmentHeader header{3, 42, 7, {100, 200, 300}};
  const std::string bytes = EncodeSegmentHeader(header);
  REQUIRE(bytes.size() == SegmentHeader::kBytes);
  SegmentHeader read;
  REQUIRE(DecodeSegmentHeader(bytes + "more", read) == HeaderOutcome::kRead);
  CHECK(read.partition == 3);
  CHECK(read.sequence == 42);
  CHECK(read.epoch == 7);
  CHECK(read.before == SampleCounts{100, 200, 300});
  CHECK(DecodeSegmentHeader("some other file", read) == HeaderOutcome::kForeign);
  CHECK(DecodeSegmentHeader(std::string(100, 'x'), read) == HeaderOutcome::kForeign);
  CHECK(DecodeSegmentHeader("", read) == HeaderOutcome::kDamaged);
  CHECK(DecodeSegmentHeader(bytes.substr(0, 20), read) == HeaderOutcome::kDamaged);
  std::string newer = bytes;
  newer[8] = 2;
  CHECK(DecodeSegmentHeader(newer, read) == HeaderOutcome::kNewer);
  std::string flipped = bytes;
  flipped[40] ^= 4;
  CHECK(DecodeSegmentHeader(flipped, read) == HeaderOutcome::kDamaged);

  const SegmentFooter footer{{11, 99, 1234, 50, {5, 6, 7}}, 5000};
  const std::string tail = EncodeFooter(footer);
  REQUIRE(tail.size() == kFooterBytes);
  auto decoded = DecodeFooter("before" + tail, 5000 + kFooterBytes);
  REQUIRE(decoded);
  CHECK(decoded->offset == 5000);
  CHECK(decoded->summary.first == 11);
  CHECK(decoded->summary.last == 99);
  CHECK(decoded->summary.last_ms == 1234);
  CHECK(decoded->summary.records == 50);
  CHECK(decoded->summary.end == SampleCounts{5, 6, 7});
  CHECK_FALSE(DecodeFooter(tail, 5001 + kFooterBytes));  // the file has lost or won bytes
  for (size_t i = 0; i < tail.size(); i++) {
    std::string damaged = tail;
    damaged[i] ^= 1;
    CHECK_FALSE(DecodeFooter(damaged, 5000 + kFooterBytes));
  }
}

// Records of every size and type, and where each begins.
struct Written {
  std::string bytes;
  std::vector<std::pair<size_t, std::string>> records;  // offset and payload
};

Written WriteRecords(std::mt19937_64& random) {
  Written written;
  for (uint64_t n = 1 + random() % 30; n > 0; n--) {
    std::string payload(random() % (n == 7 ? 20'000 : 300), '\0');
    for (char& c : payload) c = random() % 4 == 0 ? static_cast<char>(random()) : '\0';
    written.records.emplace_back(written.bytes.size(), payload);
    RecordWriter record(written.bytes, static_cast<RecordType>(1 + random() % 6));
    written.bytes += payload;
  }
  return written;
}

std::vector<std::string> ReadRecords(RecordStream& stream, std::string_view bytes,
                                     std::mt19937_64& random) {
  std::vector<std::string> payloads;
  Record record;
  while (true) {
    const size_t piece = std::min<size_t>(1 + random() % 5000, bytes.size());
    stream.Push(bytes.substr(0, piece), piece == bytes.size());
    bytes.remove_prefix(piece);
    while (stream.Next(record)) payloads.emplace_back(record.payload);
    if (bytes.empty()) return payloads;
  }
}

TEST_CASE("record stream: damage costs the records that have it, and no others") {
  const auto seed = GENERATE(range(1u, 301u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const Written written = WriteRecords(random);
  std::string bytes = written.bytes;
  std::vector<bool> damaged(written.records.size());
  for (uint64_t n = random() % 4; n > 0; n--) {
    const size_t at = random() % bytes.size();
    bytes[at] ^= static_cast<char>(1 << (random() % 8));
    for (size_t i = 0; i < written.records.size(); i++) {
      const size_t end =
          i + 1 < written.records.size() ? written.records[i + 1].first : bytes.size();
      if (at >= written.records[i].first && at < end) {
        damaged[i] = bytes.substr(written.records[i].first, end - written.records[i].first) !=
                     written.bytes.substr(written.records[i].first, end - written.records[i].first);
      }
    }
  }
  std::vector<std::string> expected;
  uint64_t lost = 0;
  for (size_t i = 0; i < damaged.size(); i++) {
    if (damaged[i]) {
      lost += kRecordHeaderBytes + written.records[i].second.size();
    } else {
      expected.push_back(written.records[i].second);
    }
  }
  RecordStream stream(100);
  CHECK(ReadRecords(stream, bytes, random) == expected);
  CHECK(stream.damaged_bytes() == lost);
  CHECK(stream.offset() == 100 + bytes.size());
}

TEST_CASE("record stream: a record that is cut off is damage only if nothing comes after it") {
  std::mt19937_64 random(3);
  const Written written = WriteRecords(random);
  for (size_t cut = 0; cut < written.bytes.size(); cut += 1 + random() % 50) {
    RecordStream stream(0);
    stream.Push(std::string_view(written.bytes).substr(0, cut), false);
    size_t read = 0;
    Record record;
    while (stream.Next(record)) read++;
    CHECK(stream.damages() == 0);
    stream.Push(std::string_view(written.bytes).substr(cut), true);
    while (stream.Next(record)) read++;
    CHECK(read == written.records.size());
    CHECK(stream.damages() == 0);
  }
}

}  // namespace
}  // namespace tributary
