// Files of the log as version 1 of its format has them, kept in test/golden/log: what is written
// today is the same to the byte, what was written then is read, and what a later version has
// written is refused with a reason.
//
// TRIBUTARY_GOLDEN=write in the environment makes the files anew instead, which is right only
// together with a new version of the format, or with something new to be in them.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "agent/log/log_scan.h"
#include "agent/log/sample_log.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/log/golden/golden_log.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;

Files Stored() {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(GOLDEN_FOLDER)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    REQUIRE(stream);
    files[fs::relative(entry.path(), GOLDEN_FOLDER).string()] =
        std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return files;
}

void Store(const Files& files) {
  fs::remove_all(GOLDEN_FOLDER);
  for (const auto& [path, content] : files) {
    const fs::path file = fs::path(GOLDEN_FOLDER) / path;
    fs::create_directories(file.parent_path());
    std::ofstream stream(file, std::ios::binary);
    stream << content;
    REQUIRE(stream.flush());
  }
}

// The log as a process has it.
struct GoldenProcess {
  explicit GoldenProcess(const Files& files) { PutFiles(files, disk); }
  Result<std::unique_ptr<DiskLog>> Open() {
    DiskLogOptions options;
    options.path = kGoldenPath;
    return DiskLog::Open({loop, disk, io, logger}, options);
  }
  // All that the reader gets; done with none of it.
  std::vector<LogRecord> Read(const std::string& reader) {
    auto opened = Open();
    REQUIRE(opened);
    log = std::make_unique<SampleLog>(loop, SampleLogOptions(), std::move(*opened));
    const SampleLog::ReaderId id = log->AddReader(reader, [] {});
    std::vector<LogRecord> records;
    bool at_end = false;
    for (int i = 0; i < 100 && !at_end; i++) {
      log->Read(id, 1'000'000, [&](SampleLog::Batch batch) {
        CHECK(batch.lost.total() + batch.damaged.total() == 0);
        records.insert(records.end(), batch.records.begin(), batch.records.end());
        at_end = batch.at_end;
      });
      loop.RunFor(milliseconds(10));
    }
    CHECK(at_end);
    return records;
  }

  SimLoop loop;
  SimDisk disk;
  SimWorkQueue io{loop};
  Logger logger = Logger::Silent();
  std::unique_ptr<SampleLog> log;
};

std::string Text(LogPosition position, const GroupSamples& samples) {
  return std::to_string(position) + ": " + TextOf(samples);
}

// Of the records that are committed, in order.
std::vector<std::pair<LogPosition, std::string>> Expected() {
  std::vector<std::pair<LogPosition, std::string>> texts;
  for (const GoldenSegment& segment : Golden().segments) {
    for (const GoldenCommit& commit : segment.commits) {
      for (size_t i = 0; i < commit.samples.size(); i++) {
        texts.emplace_back(commit.first + i, Text(commit.first + i, *commit.samples[i]));
      }
    }
  }
  return texts;
}

TEST_CASE("golden log: what is written today is what was written then, to the byte") {
  const Files& written = Golden().files;
  const char* const wish = std::getenv("TRIBUTARY_GOLDEN");
  if (wish != nullptr && std::string(wish) == "write") Store(written);
  const Files stored = Stored();
  for (const auto& [path, content] : written) {
    INFO(path);
    REQUIRE(stored.contains(path));
    const std::string& then = stored.at(path);
    const size_t same = static_cast<size_t>(
        std::mismatch(content.begin(), content.end(), then.begin(), then.end()).first -
        content.begin());
    INFO("they differ from byte " << same << " on");
    CHECK(content.size() == then.size());
    CHECK((content == then));
  }
  CHECK(stored.size() == written.size());
}

TEST_CASE("golden log: all that was written then is read") {
  const auto expected = Expected();
  GoldenProcess process(Stored());
  CursorState all;
  all.reader = "all";
  all.low = 1;
  const std::string folder = std::string(kGoldenPath) + "/p3/";
  REQUIRE(CursorWriter(folder + CursorName("all"), 0)
              .Write(process.disk, all, CursorWriter::Durable::kNo));
  const std::vector<LogRecord> records = process.Read("all");
  REQUIRE(records.size() == expected.size());
  for (size_t i = 0; i < records.size(); i++) {
    CHECK(Text(records[i].position, *records[i].samples) == expected[i].second);
  }
  const DiskLogStats& stats = process.log->disk()->stats();
  CHECK(stats.segments == Golden().segments.size());
  CHECK(stats.unfinished_bytes == Golden().torn_bytes);
  CHECK(stats.damaged_bytes + stats.foreign_files + stats.unreadable_segments == 0);
}

TEST_CASE("golden log: a reader goes on where its cursor was then") {
  const CursorState& cursor = Golden().cursor;
  const std::string path = std::string(kGoldenPath) + "/" + GoldenCursorFile();
  GoldenProcess process(Stored());
  auto read = ReadCursor(process.disk, path);
  REQUIRE(read);
  REQUIRE(*read);
  CHECK((*read)->serial == 2);
  CHECK(((*read)->state == cursor));

  std::vector<std::string> expected;
  for (const auto& [position, text] : Expected()) {
    bool done = position < cursor.low;
    for (const auto& [first, last] : cursor.done) done |= position >= first && position <= last;
    if (!done) expected.push_back(text);
  }
  std::vector<std::string> texts;
  for (const LogRecord& record : process.Read(cursor.reader)) {
    texts.push_back(Text(record.position, *record.samples));
  }
  CHECK(texts == expected);
  CHECK(process.log->SinceMs(1) == cursor.since_ms);

  // The slot that was written before it.
  SimDisk disk;
  PutFiles(Stored(), disk);
  disk.FlipBit(path, 20);
  read = ReadCursor(disk, path);
  REQUIRE(read);
  REQUIRE(*read);
  CHECK((*read)->serial == 1);
  CHECK(((*read)->state == Golden().before));
}

TEST_CASE("golden log: each segment is closed, but the one whose end is torn") {
  SimDisk disk;
  PutFiles(Stored(), disk);
  const auto& segments = Golden().segments;
  SampleCounts before;
  for (size_t i = 0; i < segments.size(); i++) {
    INFO(segments[i].what);
    const std::string path = std::string(kGoldenPath) + "/" + GoldenSegmentFile(i + 1);
    auto facts = ReadSegmentFacts(disk, path, kGoldenPartition, i + 1);
    REQUIRE(facts);
    REQUIRE(*facts);
    CHECK_FALSE((*facts)->header_damage);
    const bool open = i + 1 == segments.size();
    CHECK((*facts)->segment.closed == !open);
    CHECK((*facts)->segment.header.before == before);
    ScanHandlers handlers;
    handlers.on_damage = [](const LogDamage& damage) { FAIL_CHECK(damage.what); };
    auto scan = ScanSegment(disk, **facts, handlers);
    REQUIRE(scan);
    CHECK(scan->commits == segments[i].commits.size());
    CHECK(scan->unfinished_bytes == (open ? Golden().torn_bytes : 0));
    CHECK(scan->summary.last_ms == segments[i].commits.back().wall_ms);
    for (const GoldenCommit& commit : segments[i].commits) {
      for (const auto& samples : commit.samples) before += samples->counts();
    }
    CHECK(scan->summary.end == before);
    if (!open) CHECK((*facts)->segment.summary.end == before);
  }
}

// What opening says.
std::string Refusal(const Files& files) {
  GoldenProcess process(files);
  auto opened = process.Open();
  // It must not have changed anything that the newer version will want to find.
  for (const auto& [path, content] : files) {
    if (path.ends_with(".pos") || path == "format") {
      CHECK((*process.disk.Content(std::string(kGoldenPath) + "/" + path) == content));
    }
  }
  return opened ? "" : opened.error().message;
}

TEST_CASE("golden log: what a later version has written is refused, and why is said") {
  using Catch::Matchers::Contains;
  Files files = Stored();
  SECTION("the log as a whole") {
    std::string& format = files.at("format");
    const size_t at = format.find("version 1\n");
    REQUIRE(at != std::string::npos);
    format.replace(at, 9, "version 2");
    const std::string said = Refusal(files);
    CHECK_THAT(said, Contains(std::string(kGoldenPath) + "/format"));
    CHECK_THAT(said, Contains("version of Tributary that wrote it"));
    CHECK_THAT(said, Contains("another --storage.path"));
    SimDisk disk;
    PutFiles(files, disk);
    auto found = FindLog(disk, kGoldenPath);
    REQUIRE_FALSE(found);
    CHECK_THAT(found.error().message, Contains("version 1"));
  }
  SECTION("a segment") {
    const std::string name = GoldenSegmentFile(4);
    files.at(name)[8] = 2;
    const std::string said = Refusal(files);
    CHECK_THAT(said, Contains(name));
    CHECK_THAT(said, Contains("a newer version of Tributary"));
    CHECK_THAT(said, Contains("another --storage.path"));
  }
  SECTION("a cursor, though one of its slots is of this version") {
    const std::string name = GoldenCursorFile();
    std::string& cursor = files.at(name);
    // The checksum of later ones covers what says so: magic, checksum, size, body.
    uint32_t size = 0;
    memcpy(&size, cursor.data() + 12, sizeof(size));
    cursor[7] = '2';
    const uint32_t crc = Crc32c(cursor.substr(0, 8) + cursor.substr(16, size));
    memcpy(cursor.data() + 8, &crc, sizeof(crc));
    const std::string said = Refusal(files);
    CHECK_THAT(said, Contains(name));
    CHECK_THAT(said, Contains("a newer version of Tributary"));
    CHECK_THAT(said, Contains("another --storage.path"));
    SimDisk disk;
    PutFiles(files, disk);
    auto facts = ReadPartitionFacts(disk, {kGoldenPath, kLogVersion, kLogPartitions}, 3);
    REQUIRE_FALSE(facts);
    CHECK_THAT(facts.error().message, Contains("a newer version"));
  }
  SECTION("not a bit that has flipped in a cursor") {
    files.at(GoldenCursorFile())[7] = '3';
    CHECK(Refusal(files) == "");
  }
}

}  // namespace
}  // namespace tributary
