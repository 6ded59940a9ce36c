#include "agent/log/recovery.h"

#include <random>
#include <string>

#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {
namespace {

constexpr uint32_t kPartition = 5;

// A closed segment of one commit.
std::string SegmentOf(uint32_t partition, uint64_t sequence) {
  std::mt19937_64 random(1);
  const GroupRef group = RandomGroup(random, partition, 3);
  const GroupSamples samples = RandomSamples(random, group, 1000);
  std::string bytes = EncodeSegmentHeader({partition, sequence, 1, {}});
  AppendDefinition(*group, bytes);
  AppendSamples(7, samples, bytes);
  AppendCommit({partition, 2000, samples.counts()}, bytes);
  return bytes + EncodeFooter({{7, 7, 2000, 1, samples.counts()}, bytes.size()});
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

}  // namespace
}  // namespace tributary
