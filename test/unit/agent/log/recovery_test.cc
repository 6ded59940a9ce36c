#include "agent/log/recovery.h"

#include <algorithm>
#include <random>
#include <string>

#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {
namespace {

constexpr uint32_t kPartition = 5;

// A closed segment of the first process, of so many commits of one record each, from position 7 on.
std::string SegmentOf(uint32_t partition, uint64_t sequence, uint64_t commits = 1) {
  std::mt19937_64 random(1);
  const GroupRef group = RandomGroup(random, partition, 3);
  std::string bytes = EncodeSegmentHeader({partition, sequence, 1, {}});
  AppendDefinition(*group, bytes);
  SegmentSummary summary{7, 6 + commits, 2000, commits, {}};
  for (LogPosition position = 7; position <= summary.last; position++) {
    const GroupSamples samples = RandomSamples(random, group, 1000);
    AppendSamples(position, samples, bytes);
    summary.end += samples.counts();
    AppendCommit({partition, 2000, summary.end}, bytes);
  }
  return bytes + EncodeFooter({summary, bytes.size()});
}

TEST_CASE("recovery: a damaged header costs the header only, whichever bit it is") {
  const std::string good = SegmentOf(kPartition, 1);
  const std::string path = "/log/p5/" + SegmentName(1);
  for (size_t bit = 0; bit < 8 * SegmentHeader::kBytes; bit++) {
    CAPTURE(bit);
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    SegmentHeader header;
    const HeaderOutcome outcome = DecodeSegmentHeader(bytes, header);
    if (outcome == HeaderOutcome::kNewer) continue;
    SimDisk disk;
    disk.Write(path, bytes);
    auto recovered = RecoverPartition(disk, "/log/p5", kPartition);
    REQUIRE(recovered);
    if (outcome == HeaderOutcome::kForeign) {
      CHECK(bit < 64);
      CHECK(recovered->foreign_files == 1);
      CHECK(*disk.Content(path) == bytes);
      continue;
    }
    REQUIRE(recovered->segments.size() == 1);
    CHECK(recovered->segments[0].header.partition == kPartition);
    CHECK(recovered->segments[0].header.sequence == 1);
    CHECK(recovered->segments[0].summary.records == 1);
    CHECK(recovered->damaged_bytes == SegmentHeader::kBytes);
  }
}

TEST_CASE("recovery: a segment of another partition is left alone, and counted") {
  SimDisk disk;
  const std::string other = "/log/p5/" + SegmentName(2);
  disk.Write("/log/p5/" + SegmentName(1), SegmentOf(kPartition, 1));
  for (const uint32_t partition : {6u, 1003u}) {
    const std::string bytes = SegmentOf(partition, 2);
    disk.Write(other, bytes);
    auto recovered = RecoverPartition(disk, "/log/p5", kPartition);
    REQUIRE(recovered);
    CHECK(recovered->segments.size() == 1);
    CHECK(recovered->next_sequence == 3);
    CHECK(recovered->foreign_files == 1);
    REQUIRE(recovered->warnings.size() == 1);
    CHECK(recovered->warnings[0].find("a segment of partition") != std::string::npos);
    CHECK(*disk.Content(other) == bytes);
  }
}

TEST_CASE("recovery: of what a failed write has left, the segment that has all stays") {
  // As much, less, and more than the one before.
  for (const uint64_t commits : {3u, 1u, 5u}) {
    CAPTURE(commits);
    SimDisk disk;
    const std::string first = "/log/p5/" + SegmentName(1), second = "/log/p5/" + SegmentName(2);
    disk.Write(first, SegmentOf(kPartition, 1, 3));
    disk.Write(second, SegmentOf(kPartition, 2, commits));
    auto recovered = RecoverPartition(disk, "/log/p5", kPartition);
    REQUIRE(recovered);
    REQUIRE(recovered->segments.size() == 1);
    CHECK(recovered->segments[0].summary.records == std::max<uint64_t>(3, commits));
    CHECK(recovered->repeated_segments == 1);
    CHECK(recovered->warnings.size() == 1);
    CHECK((disk.Content(first) == nullptr) != (disk.Content(second) == nullptr));
    CHECK(disk.Content(recovered->segments[0].path) != nullptr);
  }
}

TEST_CASE("recovery: a segment whose header is damaged is no repetition of another") {
  SimDisk disk;
  for (const uint64_t sequence : {1, 2}) {
    std::string bytes = SegmentOf(kPartition, sequence, sequence);
    bytes[SegmentHeader::kBytes - 1] ^= 1;  // of the checksum
    disk.Write("/log/p5/" + SegmentName(sequence), bytes);
  }
  auto recovered = RecoverPartition(disk, "/log/p5", kPartition);
  REQUIRE(recovered);
  CHECK(recovered->segments.size() == 2);
  CHECK(recovered->repeated_segments == 0);
  CHECK(disk.Paths().size() == 2);
}

}  // namespace
}  // namespace tributary
