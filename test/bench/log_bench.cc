// What the sample log costs, 8 targets of 2,000 series each, a target a commit, a partition a
// target: `item` is CPU time by sample, `bytes` what it takes on disk by sample, definitions and
// footers included, `allocations` those of the loop's thread by sample. In `process_time` the CPU
// time of the I/O threads is in `item`, else it is the loop's alone.
//   Encode      PartitionWriter alone: commits to the bytes that are to be written
//   Append      SampleLog: a commit of each target at once, until all are readable; `disk` with
//               DiskLog on the real file system and IoThreads as the agent has them, `memory`
//               without
//   ReadWindow  SampleLog::Read by 2,000 samples, and Done, of what is in memory
//   ReadDisk    the same without Done, of segments of an earlier process; the files are in the
//               system's cache
// docs/testing.md has how to run it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/log/disk_log.h"
#include "agent/log/partition_writer.h"
#include "agent/log/sample_log.h"
#include "common/base/assert.h"
#include "common/event/io_thread.h"
#include "common/event/system_event_loop.h"
#include "common/file/posix_file_system.h"
#include "test/bench/bench_series.h"
#include "test/support/allocation_counter.h"
#include "test/support/process.h"

namespace tributary {
namespace {

constexpr uint64_t kTargets = 8;
constexpr uint64_t kRoundSamples = kTargets * kBenchSeries;
constexpr uint64_t kReadSamples = 2000;  // as a queue does with max_samples_per_send: 500
constexpr int kAppendRounds = 500;
constexpr int kWindowRounds = 20;
constexpr int kDiskRounds = 100;

void Report(benchmark::State& state, uint64_t samples, double bytes, uint64_t allocations) {
  const auto count = static_cast<double>(samples);
  const auto all = count * static_cast<double>(state.iterations());
  state.counters["item"] = benchmark::Counter(
      count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  if (bytes > 0) state.counters["bytes"] = bytes;
  state.counters["allocations"] = static_cast<double>(allocations) / all;
}

struct World {
  World() {
    for (uint64_t i = 0; i < kTargets; i++) {
      targets.push_back({i, BenchGroups(BenchShape::kBench, i)});
    }
  }
  std::unique_ptr<DiskLog> Open() {
    DiskLogOptions options;
    options.path = folder / "log";
    options.retention_bytes = uint64_t{1} << 40;
    options.free_min = 0;
    auto opened = DiskLog::Open({loop, files, io, logger, &slow_io}, options);
    CHECK(opened.has_value());
    return std::move(*opened);
  }
  // One scrape of each target.
  std::vector<Commit> Round() {
    std::vector<Commit> commits = targets;
    timestamp += 15'000;
    for (Commit& commit : commits) {
      for (GroupSamples& samples : commit.groups) samples.timestamp = timestamp;
    }
    return commits;
  }
  void Append(SampleLog& log, std::vector<Commit> commits) {
    for (Commit& commit : commits) log.Append(std::move(commit));
    log.AfterAppends([this] { loop.Stop(); });
    loop.Run();
  }
  void Flush(SampleLog& log) {
    log.Flush([this] { loop.Stop(); });
    loop.Run();
  }
  // All that there is; how many samples.
  uint64_t ReadAll(SampleLog& log, SampleLog::ReaderId reader, bool done_with) {
    uint64_t samples = 0;
    for (bool at_end = false; !at_end;) {
      log.Read(reader, kReadSamples, [&](const SampleLog::Batch& batch) {
        for (const LogRecord& record : batch.records) {
          samples += record.samples->samples();
          if (done_with) log.Done(reader, record.ticket);
        }
        at_end = batch.at_end;
        loop.Stop();
      });
      loop.Run();
    }
    return samples;
  }

  TemporaryFolder folder;
  PosixFileSystem files;
  SystemEventLoop loop;
  IoThread io{loop}, slow_io{loop};
  Logger logger{LogLevel::kError, Logger::Format::kLogfmt};
  std::vector<Commit> targets;
  TimestampMs timestamp = 1'790'000'000'000;
};

// Takes all and keeps nothing.
class NoFile : public File {
 public:
  Result<size_t> ReadAt(uint64_t, char*, size_t) override { return size_t{0}; }
  Status WriteAt(uint64_t, std::string_view) override { return {}; }
  Status Truncate(uint64_t) override { return {}; }
  Status Sync() override { return {}; }
  Result<uint64_t> Size() override { return uint64_t{0}; }
};

void Encode(benchmark::State& state) {
  GroupRegistry registry;
  const DiskLogOptions defaults;
  PartitionWriter writer("p0", 0, 1, defaults.segment_bytes, {}, registry);
  const auto file = std::make_shared<NoFile>();
  std::vector<std::shared_ptr<const GroupSamples>> groups;
  for (GroupSamples& samples : BenchGroups(BenchShape::kBench, 0)) {
    groups.push_back(std::make_shared<const GroupSamples>(std::move(samples)));
  }
  SampleCounts end;
  LogPosition position = 0;
  uint64_t bytes = 0;
  const uint64_t before = AllocationCount();
  for (auto _ : state) {
    CommitView view;
    view.before = end;
    for (const auto& samples : groups) {
      view.items.push_back({++position, &samples});
      end += samples->counts();
    }
    view.mark = {0, static_cast<TimestampMs>(position), end};
    writer.Add(view);
    const std::shared_ptr<PartitionWrite> write = writer.Take(false);
    write->file = file;
    bytes += write->bytes.size() + write->footer.size();
    writer.Finish(*write);
  }
  const uint64_t allocations = AllocationCount() - before;
  Report(state, kBenchSeries, static_cast<double>(bytes) / static_cast<double>(end.samples),
         allocations);
}

void Append(benchmark::State& state, bool on_disk) {
  World world;
  // Without a disk the oldest go at memory_bytes, as nobody reads.
  SampleLogOptions options;
  if (!on_disk) options.memory_bytes = options.window_bytes;
  SampleLog log(world.loop, options, on_disk ? world.Open() : nullptr);
  log.AddReader("remote", [] {});
  uint64_t allocations = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Commit> commits = world.Round();
    state.ResumeTiming();
    const uint64_t before = AllocationCount();
    world.Append(log, std::move(commits));
    allocations += AllocationCount() - before;
  }
  double bytes = 0;
  if (on_disk) {
    world.Flush(log);
    if (log.stats().disk_failing || log.stats().unwritten_records > 0) {
      state.SkipWithError("the disk did not take all");
    }
    bytes = static_cast<double>(log.disk()->stats().bytes) /
            static_cast<double>(log.stats().appended.samples);
  }
  Report(state, kRoundSamples, bytes, allocations);
}

void ReadWindow(benchmark::State& state) {
  World world;
  SampleLog log(world.loop, {});
  const SampleLog::ReaderId reader = log.AddReader("remote", [] {});
  uint64_t allocations = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (int i = 0; i < kWindowRounds; i++) world.Append(log, world.Round());
    state.ResumeTiming();
    const uint64_t before = AllocationCount();
    const uint64_t samples = world.ReadAll(log, reader, true);
    allocations += AllocationCount() - before;
    if (samples != kWindowRounds * kRoundSamples) state.SkipWithError("samples are missing");
  }
  Report(state, kWindowRounds * kRoundSamples, 0, allocations);
}

void ReadDisk(benchmark::State& state) {
  World world;
  {
    SampleLog log(world.loop, {}, world.Open());
    log.AddReader("remote", [] {});
    for (int i = 0; i < kDiskRounds; i++) world.Append(log, world.Round());
    world.Flush(log);
  }
  world.targets.clear();  // so that the groups are read as well
  double bytes = 0;
  uint64_t allocations = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto log = std::make_unique<SampleLog>(world.loop, SampleLogOptions{}, world.Open());
    const SampleLog::ReaderId reader = log->AddReader("remote", [] {});
    bytes = static_cast<double>(log->disk()->stats().bytes);
    state.ResumeTiming();
    const uint64_t before = AllocationCount();
    const uint64_t samples = world.ReadAll(*log, reader, false);
    allocations += AllocationCount() - before;
    state.PauseTiming();
    if (samples != kDiskRounds * kRoundSamples) state.SkipWithError("samples are missing");
    world.Flush(*log);
    log.reset();
    state.ResumeTiming();
  }
  Report(state, kDiskRounds * kRoundSamples, bytes / (kDiskRounds * kRoundSamples), allocations);
}

BENCHMARK(Encode);
BENCHMARK_CAPTURE(Append, memory, false)->Iterations(kAppendRounds);
BENCHMARK_CAPTURE(Append, disk, true)->Iterations(kAppendRounds);
BENCHMARK_CAPTURE(Append, disk, true)->Iterations(kAppendRounds)->MeasureProcessCPUTime();
BENCHMARK(ReadWindow);
BENCHMARK(ReadDisk);
BENCHMARK(ReadDisk)->MeasureProcessCPUTime();

}  // namespace
}  // namespace tributary
