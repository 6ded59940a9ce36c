// A log of 40 GB, in sparse files, on the real file system: it opens in less than a second.
#include <filesystem>
#include <memory>
#include <random>

#include <fmt/format.h>

#include "agent/log/disk_log.h"
#include "agent/log/sample_log.h"
#include "agent/log/segment.h"
#include "common/event/io_thread.h"
#include "common/event/system_event_loop.h"
#include "common/file/posix_file_system.h"
#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/unit/agent/log/log_samples.h"

namespace tributary {
namespace {

constexpr uint64_t kSegmentBytes = 16 << 20;
constexpr uint64_t kSegments = 40'000'000'000 / kSegmentBytes / kLogPartitions + 1;
constexpr uint32_t kSeries = 500;

// Closed segments of full size, of which nothing but header and footer is there.
void WriteSegments(Disk& disk, const std::string& path, TimestampMs now_ms) {
  LogPosition position = 1;
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    const std::string folder = fmt::format("{}/p{}", path, p);
    REQUIRE(disk.CreateDirectories(folder));
    SegmentHeader header{p, 1, 1, {}};
    for (uint64_t i = 0; i < kSegments; i++, header.sequence++) {
      SegmentSummary summary;
      summary.first = position;
      summary.records = kSegmentBytes / (8 * kSeries);
      summary.last = position + summary.records - 1;
      summary.end = header.before;
      summary.end.samples += summary.records * kSeries;
      summary.last_ms = now_ms;
      position += summary.records;
      const std::string footer = EncodeFooter({summary, kSegmentBytes});
      auto file = disk.Open(folder + "/" + SegmentName(header.sequence), FileMode::kCreate);
      REQUIRE(file);
      REQUIRE((*file)->WriteAt(0, EncodeSegmentHeader(header)));
      REQUIRE((*file)->WriteAt(kSegmentBytes, footer));
      header.before = summary.end;
    }
  }
}

struct OpenWorld {
  OpenWorld() { options.path = folder / "log"; }
  std::unique_ptr<DiskLog> Open() {
    auto opened = DiskLog::Open({loop, files, io, logger}, options);
    if (!opened) FAIL(opened.error().message);
    return std::move(*opened);
  }

  TemporaryFolder folder;
  PosixFileSystem files;
  SystemEventLoop loop;
  IoThread io{loop};
  Logger logger{LogLevel::kError, Logger::Format::kLogfmt};
  DiskLogOptions options = [] {
    DiskLogOptions log;
    log.retention_bytes = 100'000'000'000;
    log.free_min = 0;
    return log;
  }();
};

// A remote that has had nothing yet is owed all that follows, so it is kept.
void AddRemote(OpenWorld& world, SampleLog& log) {
  log.AddReader("away", [] {});
  log.Flush([&] { world.loop.Stop(); });
  world.loop.Run();
}

// As a process leaves it that is killed: each partition has a segment that is not closed.
void AppendTails(OpenWorld& world) {
  SampleLog log(world.loop, {}, world.Open());
  AddRemote(world, log);
  std::mt19937_64 random(1);
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    const GroupRef group = RandomGroup(random, p, kSeries);
    for (int i = 0; i < 1000; i++) {
      Commit commit;
      commit.target_key = p;
      commit.groups.push_back(RandomSamples(random, group, 1'700'000'000'000 + i));
      log.Append(std::move(commit));
    }
  }
  log.Flush([&] { world.loop.Stop(); });
  world.loop.Run();
}

TEST_CASE("log: forty gigabytes open in less than a second") {
  OpenWorld world;
  {
    SampleLog log(world.loop, {}, world.Open());
    AddRemote(world, log);
  }
  WriteSegments(world.files, world.options.path, world.loop.WallMs());
  AppendTails(world);
  const MonotonicTime begin = world.loop.Now();
  const std::unique_ptr<DiskLog> log = world.Open();
  const nanoseconds took = world.loop.Now() - begin;
  WARN(fmt::format("{} bytes in {} segments: opened in {:.3f} s", log->stats().bytes,
                   log->stats().segments, std::chrono::duration<double>(took).count()));
  CHECK(log->stats().bytes > 40'000'000'000);
  CHECK(log->stats().segments > kLogPartitions * kSegments);
  CHECK(log->stats().damaged_bytes == 0);
  CHECK(took < seconds(1) * kSlowdown);
}

}  // namespace
}  // namespace tributary
