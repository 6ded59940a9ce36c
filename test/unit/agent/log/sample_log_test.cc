#include "agent/log/sample_log.h"

#include <map>
#include <random>

#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {
namespace {

GroupRef OneGroup() {
  static const GroupRef group = [] {
    std::vector<std::string> packed(64);
    for (size_t i = 0; i < packed.size(); i++) {
      PackLabels(Labels{{"__name__", "m"}, {"i", std::to_string(i)}}, packed[i]);
    }
    return std::make_shared<const GroupDefinition>(
        1, 1, std::vector<std::string_view>(packed.begin(), packed.end()));
  }();
  return group;
}

// `samples` values, at most 64.
GroupSamples Samples(size_t samples, TimestampMs timestamp = 0) {
  GroupSamples group;
  group.group = OneGroup();
  group.timestamp = timestamp;
  group.present = {samples >= 64 ? ~uint64_t{0} : (uint64_t{1} << samples) - 1};
  group.values.assign(samples, 1.5);
  return group;
}

Commit CommitOf(std::vector<size_t> sizes) {
  Commit commit;
  for (size_t size : sizes) commit.groups.push_back(Samples(size));
  return commit;
}

// What the log should be: every record ever appended, and for each reader how far it is.
class Model {
 public:
  struct Reader {
    uint64_t taken = 0;  // the last position that was read or counted as lost
    uint64_t released = 0;
    uint64_t read_samples = 0, lost_samples = 0, since_samples = 0;
  };
  struct Read {
    std::vector<uint64_t> positions;
    uint64_t lost = 0;
    bool at_end = false;
  };

  explicit Model(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Append(const std::vector<size_t>& sizes) {
    for (size_t size : sizes) {
      records_.push_back({size, Samples(size).memory_bytes()});
      for (auto& [id, reader] : readers) reader.since_samples += size;
    }
    Trim();
  }
  void Add(uint64_t id) { readers[id] = {records_.size(), records_.size(), 0, 0, 0}; }
  void Remove(uint64_t id) {
    readers.erase(id);
    Trim();
  }
  void Release(uint64_t id, uint64_t position) {
    readers[id].released = std::max(readers[id].released, position);
    Trim();
  }
  Read Take(uint64_t id, uint64_t samples_max) {
    Reader& reader = readers.at(id);
    Read read;
    for (uint64_t p = reader.taken + 1; p < base_; p++) read.lost += SamplesAt(p);
    reader.taken = std::max(reader.taken, base_ - 1);
    uint64_t samples = 0;
    while (reader.taken < records_.size() && (read.positions.empty() || samples < samples_max)) {
      read.positions.push_back(++reader.taken);
      samples += SamplesAt(reader.taken);
    }
    reader.read_samples += samples;
    reader.lost_samples += read.lost;
    read.at_end = reader.taken == records_.size();
    return read;
  }
  uint64_t SamplesAt(uint64_t position) const { return records_[position - 1].samples; }
  size_t bytes() const {
    size_t bytes = 0;
    for (uint64_t p = base_; p <= records_.size(); p++) bytes += records_[p - 1].bytes;
    return bytes;
  }
  size_t kept() const { return records_.size() + 1 - base_; }
  uint64_t evicted() const { return evicted_; }
  uint64_t end() const { return records_.size(); }

  std::map<uint64_t, Reader> readers;

 private:
  struct Record {
    size_t samples, bytes;
  };
  void Trim() {
    uint64_t done = records_.size();
    for (const auto& [id, reader] : readers) done = std::min(done, reader.released);
    base_ = std::max(base_, done + 1);
    while (bytes() > bytes_max_) evicted_ += SamplesAt(base_++);
  }

  const size_t bytes_max_;
  std::deque<Record> records_;  // position - 1 is the index
  uint64_t base_ = 1;           // the first position that is kept
  uint64_t evicted_ = 0;
};

TEST_CASE("sample log: behaves as its model over random appends, reads, releases and evictions") {
  const auto seed = GENERATE(range(1u, 61u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](size_t n) { return random() % n; };
  const size_t bytes_max = 2000 + below(20000);
  SimLoop loop;
  SampleLog log(loop, {.memory_bytes = bytes_max});
  Model model(bytes_max);
  std::map<uint64_t, int> told;
  std::map<uint64_t, uint64_t> last_read;
  std::map<uint64_t, std::map<uint64_t, uint64_t>> held;  // reader -> position -> ticket
  uint64_t evictions_seen = 0;
  for (int step = 0; step < 600; step++) {
    CAPTURE(step);
    std::vector<uint64_t> ids;
    for (const auto& [id, reader] : model.readers) ids.push_back(id);
    const size_t what = below(100);
    if (what < 45) {
      std::vector<size_t> sizes(below(5));
      for (size_t& size : sizes) size = 1 + below(64);
      log.Append(CommitOf(sizes));
      bool done = false;
      log.AfterAppends([&done] { done = true; });
      REQUIRE_FALSE(done);
      told.clear();
      loop.RunDue();
      REQUIRE(done);
      model.Append(sizes);
      for (uint64_t id : ids) REQUIRE((sizes.empty() || told[id] > 0));
    } else if (what < 75 && !ids.empty()) {
      const uint64_t id = ids[below(ids.size())];
      const uint64_t samples_max = below(200);
      bool done = false;
      log.Read(id, samples_max, [&](const SampleLog::Batch& batch) {
        done = true;
        const Model::Read expected = model.Take(id, samples_max);
        std::vector<uint64_t> positions;
        for (const LogRecord& record : batch.records) {
          positions.push_back(record.position);
          REQUIRE(record.samples->samples() == model.SamplesAt(record.position));
        }
        REQUIRE(positions == expected.positions);
        REQUIRE(batch.lost.samples == expected.lost);
        REQUIRE(batch.at_end == expected.at_end);
        if (!positions.empty()) last_read[id] = positions.back();
        for (const LogRecord& record : batch.records) held[id][record.position] = record.ticket;
      });
      REQUIRE_FALSE(done);
      loop.RunDue();
      REQUIRE(done);
    } else if (what < 92 && !ids.empty()) {
      const uint64_t id = ids[below(ids.size())];
      if (last_read[id] == 0) continue;
      // At times a position that was released before: no effect.
      const uint64_t position = last_read[id] - below(std::min<uint64_t>(last_read[id], 3));
      // In any order.
      std::map<uint64_t, uint64_t>& tickets = held[id];
      const auto end = tickets.upper_bound(position);
      for (auto it = end; it != tickets.begin();) log.Done(id, (--it)->second);
      tickets.erase(tickets.begin(), end);
      model.Release(id, position);
    } else if (what < 96 && ids.size() < 4) {
      auto id = std::make_shared<uint64_t>(0);
      *id = log.AddReader("r", [&told, id] { told[*id]++; });
      model.Add(*id);
    } else if (!ids.empty()) {
      const uint64_t id = ids[below(ids.size())];
      log.RemoveReader(id);
      model.Remove(id);
      last_read.erase(id);
      held.erase(id);
    }
    REQUIRE(log.end() == model.end());
    REQUIRE(log.stats().bytes == model.bytes());
    REQUIRE(log.stats().records == model.kept());
    REQUIRE(log.stats().evicted.samples == model.evicted());
    REQUIRE(log.stats().bytes <= bytes_max);
    evictions_seen = model.evicted();
  }
  // Nobody lost a sample unseen.
  for (const auto& [id, unused] : std::map(model.readers)) {
    bool at_end = false;
    while (!at_end) {
      log.Read(id, 1000, [&, reader = id](const SampleLog::Batch& batch) {
        model.Take(reader, 1000);
        at_end = batch.at_end;
      });
      loop.RunDue();
    }
    const Model::Reader& reader = model.readers.at(id);
    CHECK(reader.read_samples + reader.lost_samples == reader.since_samples);
  }
  if (bytes_max < 4000) CHECK(evictions_seen > 0);
}

TEST_CASE("sample log: a reader begins at the end") {
  SimLoop loop;
  SampleLog log(loop, {});
  const auto first = log.AddReader("r", [] {});
  log.Append(CommitOf({5, 6}));
  loop.RunDue();
  const auto second = log.AddReader("r", [] {});
  size_t first_records = 99, second_records = 99;
  log.Read(first, 100,
           [&](const SampleLog::Batch& batch) { first_records = batch.records.size(); });
  log.Read(second, 100,
           [&](const SampleLog::Batch& batch) { second_records = batch.records.size(); });
  loop.RunDue();
  CHECK(first_records == 2);
  CHECK(second_records == 0);
}

TEST_CASE("sample log: a reader is told once of several appends, and again of later ones") {
  SimLoop loop;
  SampleLog log(loop, {});
  int told = 0;
  log.AddReader("r", [&] { told++; });
  for (int i = 0; i < 5; i++) log.Append(CommitOf({1}));
  CHECK(told == 0);
  loop.RunDue();
  CHECK(told == 1);
  log.Append(CommitOf({1}));
  loop.RunDue();
  CHECK(told == 2);
}

TEST_CASE("sample log: a removed reader hears nothing more, even of a read under way") {
  SimLoop loop;
  SampleLog log(loop, {});
  int calls = 0;
  const auto reader = log.AddReader("r", [&] { calls++; });
  log.Append(CommitOf({1}));
  log.Read(reader, 10, [&](const SampleLog::Batch&) { calls++; });
  log.RemoveReader(reader);
  loop.RunDue();
  CHECK(calls == 0);
  CHECK(log.stats().records == 0);
}

TEST_CASE("sample log: a reader may remove itself when it is told, and when it reads") {
  SimLoop loop;
  SampleLog log(loop, {});
  SampleLog::ReaderId one = 0, two = 0;
  one = log.AddReader("r", [&] { log.RemoveReader(one); });
  two = log.AddReader("r", [] {});
  log.Append(CommitOf({4}));
  loop.RunDue();
  size_t read = 0;
  log.Read(two, 10, [&](const SampleLog::Batch& batch) {
    read = batch.records.size();
    log.RemoveReader(two);
  });
  loop.RunDue();
  CHECK(read == 1);
  CHECK(log.stats().records == 0);
}

TEST_CASE("sample log: without readers nothing is kept") {
  SimLoop loop;
  SampleLog log(loop, {});
  log.Append(CommitOf({9, 9}));
  loop.RunDue();
  CHECK(log.stats().records == 0);
  CHECK(log.stats().bytes == 0);
  CHECK(log.stats().evicted.samples == 0);
  CHECK(log.stats().appended.samples == 18);
}

TEST_CASE("sample log: its end drops what is under way") {
  SimLoop loop;
  int calls = 0;
  {
    SampleLog log(loop, {});
    const auto reader = log.AddReader("r", [&] { calls++; });
    log.Append(CommitOf({1}));
    log.AfterAppends([&] { calls++; });
    log.Read(reader, 10, [&](const SampleLog::Batch&) { calls++; });
  }
  loop.RunDue();
  CHECK(calls == 0);
}

TEST_CASE("sample log: a record that was read stays readable after its eviction") {
  SimLoop loop;
  SampleLog log(loop, {.memory_bytes = Samples(64).memory_bytes() + 10});
  const auto reader = log.AddReader("r", [] {});
  log.Append(CommitOf({64}));
  std::vector<LogRecord> held;
  uint64_t lost = 0;
  auto take = [&](SampleLog::Batch batch) {
    lost += batch.lost.samples;
    for (LogRecord& record : batch.records) held.push_back(std::move(record));
  };
  log.Read(reader, 100, take);
  loop.RunDue();
  log.Append(CommitOf({64}));
  loop.RunDue();
  log.Read(reader, 100, take);
  loop.RunDue();
  REQUIRE(held.size() == 2);
  CHECK(held[0].samples->samples() == 64);
  CHECK(lost == 0);  // it had the one that went
  CHECK(log.stats().evicted.samples == 64);
}

TEST_CASE("sample log: counts and bounds include histograms and exemplars") {
  GroupSamples samples = Samples(2);
  IrregularSamples irregular;
  for (int i = 0; i < 3; i++) irregular.histograms.push_back({0, i, 0, false, "encoded"});
  for (int i = 0; i < 5; i++) irregular.exemplars.push_back({0, i, 1, "labels"});
  samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
  const SampleCounts each{2, 3, 5};
  REQUIRE(samples.counts() == each);
  REQUIRE(samples.memory_bytes() > Samples(2).memory_bytes() + 8 * sizeof(ExemplarSample));

  SimLoop loop;
  SampleLog log(loop, {.memory_bytes = 4 * samples.memory_bytes()});
  const auto reader = log.AddReader("r", [] {});
  for (int i = 0; i < 6; i++) {
    Commit commit;
    commit.groups.push_back(samples);
    log.Append(std::move(commit));
  }
  loop.RunDue();
  CHECK(log.stats().records == 4);
  CHECK(log.stats().appended == SampleCounts{12, 18, 30});
  CHECK(log.stats().evicted == each + each);
  std::vector<size_t> records;
  SampleCounts lost;
  // 20 of all kinds: two records.
  for (int i = 0; i < 2; i++) {
    log.Read(reader, 20, [&](const SampleLog::Batch& batch) {
      records.push_back(batch.records.size());
      lost += batch.lost;
    });
    loop.RunDue();
  }
  CHECK(records == std::vector<size_t>{2, 2});
  CHECK(lost == each + each);
}

}  // namespace
}  // namespace tributary
