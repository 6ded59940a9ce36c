#include "test/unit/agent/log/golden/golden_log.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "agent/log/disk_log.h"
#include "agent/log/partition_writer.h"
#include "common/base/varint.h"
#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"

namespace tributary {

namespace {

constexpr uint64_t kTargetKey = 0x0123456789abcdeb;  // mod 8: kGoldenPartition
constexpr uint64_t kEpoch = 1'700'000'000'000;
constexpr TimestampMs kStart = 1'700'000'000'123;

// Snappy without compression: the size, and runs of at most 60 bytes as they are.
std::string Literals(std::string_view raw) {
  constexpr size_t kRun = 60;
  std::string out;
  PutVarint(out, raw.size());
  while (!raw.empty()) {
    const std::string_view run = raw.substr(0, kRun);
    out += static_cast<char>((run.size() - 1) << 2);
    out += run;
    raw.remove_prefix(run.size());
  }
  return out;
}

GroupRef MakeGroup(const std::string& name, uint32_t series, uint64_t generation) {
  std::string raw, before;
  for (uint32_t i = 0; i < series; i++) {
    std::string packed;
    PackLabels(Labels{{"__name__", fmt::format("{}_{}", name, i / 4)},
                      {"instance", "10.0.0.1:9100"},
                      {"job", "golden"},
                      {"text", fmt::format("é\n\"{}\"", i)}},
               packed);
    const auto differs = std::mismatch(packed.begin(), packed.end(), before.begin(), before.end());
    const auto shared = static_cast<size_t>(differs.first - packed.begin());
    PutVarint(raw, shared);
    PutVarint(raw, packed.size() - shared);
    raw += packed.substr(shared);
    before = packed;
  }
  auto group = GroupDefinition::FromCompressed(kTargetKey, generation, series, Literals(raw));
  REQUIRE(group);
  return *group;
}

std::vector<NativeHistogram> Histograms() {
  NativeHistogram integers;
  integers.schema = 3;
  integers.zero_threshold = 1e-128;
  integers.sum = 12.5;
  integers.count = 9;
  integers.zero_count = 2;
  integers.positive_spans = {{-2, 2}, {3, 1}};
  integers.positive_deltas = {1, 2, -2};
  integers.negative_spans = {{0, 1}};
  integers.negative_deltas = {2};
  NativeHistogram floats;
  floats.schema = -4;
  floats.sum = -0.25;
  floats.is_float = true;
  floats.count_float = 4.5;
  floats.zero_count_float = 0.5;
  floats.positive_spans = {{1, 1}};
  floats.positive_counts = {1.5};
  floats.negative_spans = {{1, 2}};
  floats.negative_counts = {1.25, 1.25};
  floats.reset_hint = NativeHistogram::ResetHint::kYes;
  NativeHistogram gauge = integers;
  gauge.reset_hint = NativeHistogram::ResetHint::kGauge;
  NativeHistogram custom;
  custom.schema = kCustomBucketsSchema;
  custom.sum = 7;
  custom.count = 3;
  custom.positive_spans = {{0, 3}};
  custom.positive_deltas = {1, 0, 0};
  custom.custom_values = {0.1, 2.5};
  custom.reset_hint = NativeHistogram::ResetHint::kNo;
  NativeHistogram stale;
  stale.sum = StaleNan();
  return {integers, floats, gauge, custom, stale};
}

class Maker {
 public:
  std::vector<GoldenSegment> Make() {
    Add("definitions", {Full(few_), Full(many_)});
    GroupSamples metadata = Full(many_);
    metadata.metadata = Metadata();
    Add("metadata", {std::move(metadata)});
    GroupSamples starts = Full(few_);
    starts.starts =
        std::make_shared<const StartTimes>(StartTimes{kStart - 60'000, 0, kStart - 1, -5});
    Add("start times", {std::move(starts)});
    GroupSamples values = Full(few_);
    values.values = {-0.0, std::numeric_limits<double>::denorm_min(), StaleNan(),
                     -std::numeric_limits<double>::infinity()};
    Add("values", {std::move(values)});
    Add("a bitmap", {Some(many_), None(few_)});
    Add("own times", {WithOwn(Full(few_))});
    Add("histograms", {WithIrregular(None(few_), Histograms().size(), 0)});
    Add("exemplars", {WithIrregular(Full(few_), 0, 3)});
    GroupSamples all = WithIrregular(WithOwn(Some(many_)), 2, 2);
    all.metadata = Metadata();
    all.starts = std::make_shared<const StartTimes>(StartTimes(many_->series(), kStart - 1000));
    Add("all of it at once, and another commit", {std::move(all)});
    AddCommit({Full(few_)});
    Add("an end that is torn", {Full(few_)});
    return std::move(segments_);
  }

  GoldenCommit Torn() { return Commit({Full(few_), WithOwn(Full(many_))}); }

 private:
  GroupSamples Of(const GroupRef& group) {
    GroupSamples samples;
    samples.group = group;
    samples.timestamp = kStart + static_cast<TimestampMs>(15'000 * next_);
    samples.present.resize((group->series() + 63) / 64);
    return samples;
  }
  void Put(GroupSamples& samples, uint32_t index) {
    samples.present[index / 64] |= uint64_t{1} << (index % 64);
    samples.values.push_back(1.5 * static_cast<double>(index) + static_cast<double>(next_));
  }
  GroupSamples Full(const GroupRef& group) {
    GroupSamples samples = Of(group);
    for (uint32_t i = 0; i < group->series(); i++) Put(samples, i);
    return samples;
  }
  GroupSamples Some(const GroupRef& group) {
    GroupSamples samples = Of(group);
    for (uint32_t i = 0; i < group->series(); i += i % 5 + 1) Put(samples, i);
    return samples;
  }
  GroupSamples None(const GroupRef& group) {
    GroupSamples samples = Of(group);
    samples.own.push_back({1, samples.timestamp - 1, 2});
    return samples;
  }
  static GroupSamples WithOwn(GroupSamples samples) {
    samples.own = {{0, samples.timestamp - 100'000, 0.5},
                   {0, samples.timestamp + 1, StaleNan()},
                   {3, 0, -1},
                   {2, std::numeric_limits<TimestampMs>::max(), 3}};
    return samples;
  }
  static GroupSamples WithIrregular(GroupSamples samples, size_t histograms, size_t exemplars) {
    IrregularSamples irregular;
    for (uint32_t i = 0; i < histograms; i++) {
      HistogramSample sample;
      sample.index = i % 4;
      sample.timestamp = samples.timestamp + (i == 1 ? -250 : 0);
      sample.start = i == 2 ? kStart - 3'600'000 : 0;
      const NativeHistogram histogram = Histograms()[i];
      sample.custom_buckets = histogram.schema == kCustomBucketsSchema;
      EncodeHistogram(histogram, sample.encoded);
      irregular.histograms.push_back(std::move(sample));
    }
    for (uint32_t i = 0; i < exemplars; i++) {
      ExemplarSample sample{i, samples.timestamp - i, 0.25 * i, ""};
      if (i > 0) PackLabels(Labels{{"trace_id", fmt::format("{:032x}", i)}}, sample.labels);
      irregular.exemplars.push_back(std::move(sample));
    }
    samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
    return samples;
  }
  // Every type, and series of which nothing is known.
  std::shared_ptr<const SeriesMetadata> Metadata() const {
    std::vector<FamilyRef> families = {nullptr};
    for (int type = 0; type <= static_cast<int>(MetricType::kStateset); type++) {
      families.push_back(std::make_shared<const FamilyMetadata>(FamilyMetadata{
          fmt::format("many_{}", type), static_cast<MetricType>(type),
          type == 1 ? "" : fmt::format("Help of\n{}.", type), type == 2 ? "seconds" : ""}));
    }
    std::vector<FamilyRef> of_series(many_->series());
    for (size_t i = 0; i < of_series.size(); i++) of_series[i] = families[i / 2 % families.size()];
    return std::make_shared<const SeriesMetadata>(of_series);
  }

  GoldenCommit Commit(std::vector<GroupSamples> samples) {
    GoldenCommit commit;
    commit.first = next_;
    commit.wall_ms = samples.front().timestamp + 20;
    for (GroupSamples& of_group : samples) {
      commit.samples.push_back(std::make_shared<const GroupSamples>(std::move(of_group)));
    }
    next_ += commit.samples.size() + 100;  // other partitions have those between
    return commit;
  }
  void AddCommit(std::vector<GroupSamples> samples) {
    segments_.back().commits.push_back(Commit(std::move(samples)));
  }
  void Add(const std::string& what, std::vector<GroupSamples> samples) {
    segments_.push_back({what, {}});
    AddCommit(std::move(samples));
  }

  const GroupRef few_ = MakeGroup("few", 4, 1);
  const GroupRef many_ = MakeGroup("many", 70, 2);
  LogPosition next_ = 1;
  std::vector<GoldenSegment> segments_;
};

class Writer {
 public:
  explicit Writer(SimDisk& disk)
      : disk_(disk),
        writer_(fmt::format("{}/p{}", kGoldenPath, kGoldenPartition), kGoldenPartition, kEpoch,
                uint64_t{1} << 20, RecoveredPartition{}, registry_) {}

  void Write(const GoldenSegment& segment) {
    writer_.Roll();
    for (const GoldenCommit& commit : segment.commits) {
      Add(commit);
      auto write = writer_.Take(false);
      write->Run(disk_);
      REQUIRE(write->status);
      writer_.Finish(*write);
    }
  }
  // A part of it, as if the process had ended meanwhile; how many bytes that were.
  size_t WriteTorn(const GoldenCommit& commit) {
    Add(commit);
    auto write = writer_.Take(false);
    write->bytes.resize(write->bytes.size() * 2 / 3);
    write->Run(disk_);
    REQUIRE(write->status);
    return write->bytes.size();
  }

 private:
  void Add(const GoldenCommit& commit) {
    CommitView view;
    view.before = counts_;
    for (size_t i = 0; i < commit.samples.size(); i++) {
      view.items.push_back({commit.first + i, &commit.samples[i]});
      counts_ += commit.samples[i]->counts();
    }
    view.mark = {kTargetKey, commit.wall_ms, counts_};
    writer_.Add(view);
  }

  SimDisk& disk_;
  GroupRegistry registry_;
  PartitionWriter writer_;
  SampleCounts counts_;
};

// The file that says what the folder is, and the folders.
void MakeLog(SimDisk& disk) {
  SimLoop loop;
  SimWorkQueue io(loop);
  Logger logger = Logger::Silent();
  DiskLogOptions options;
  options.path = kGoldenPath;
  REQUIRE(DiskLog::Open({loop, disk, io, logger}, options));
}

// Done with what the first five segments hold, and with two records behind.
void FillCursor(GoldenLog& log) {
  CursorState& cursor = log.cursor;
  cursor.reader = "https://metrics.example/api/v1/write#1";
  cursor.since_ms = kStart - 200'000;
  cursor.low = log.segments[5].commits[0].first;
  for (size_t i = 0; i < 5; i++) {
    for (const auto& samples : log.segments[i].commits[0].samples) {
      cursor.before_low += samples->counts();
    }
  }
  for (const size_t i : {size_t{6}, size_t{8}}) {
    const GoldenCommit& commit = log.segments[i].commits[0];
    cursor.done.emplace_back(commit.first, commit.first);
    cursor.in_done += commit.samples[0]->counts();
    cursor.handed_out = commit.first;
  }
  log.before = cursor;
  log.before.done.clear();
  log.before.in_done = {};
}

GoldenLog Make() {
  GoldenLog log;
  SimDisk disk;
  MakeLog(disk);
  Maker maker;
  log.segments = maker.Make();
  log.torn = maker.Torn();
  Writer writer(disk);
  for (const GoldenSegment& segment : log.segments) writer.Write(segment);
  log.torn_bytes = writer.WriteTorn(log.torn);
  FillCursor(log);
  CursorWriter cursor(fmt::format("{}/{}", kGoldenPath, GoldenCursorFile()), 0);
  for (const CursorState* state : {&log.before, &log.cursor}) {
    REQUIRE(cursor.Write(disk, *state, CursorWriter::Durable::kNo));
  }
  const std::string folder = std::string(kGoldenPath) + "/";
  for (const std::string& path : disk.Paths()) {
    log.files[path.substr(folder.size())] = *disk.Content(path);
  }
  return log;
}

}  // namespace

const GoldenLog& Golden() {
  static const GoldenLog golden = Make();
  return golden;
}

std::string GoldenSegmentFile(uint64_t sequence) {
  return fmt::format("p{}/{}", kGoldenPartition, SegmentName(sequence));
}

std::string GoldenCursorFile() {
  return fmt::format("p{}/{}", kGoldenPartition,
                     CursorName("https://metrics.example/api/v1/write#1"));
}

void PutFiles(const std::map<std::string, std::string>& files, SimDisk& disk) {
  for (const auto& [path, content] : files) {
    disk.Write(fmt::format("{}/{}", kGoldenPath, path), content);
  }
}

}  // namespace tributary
