#include "agent/log/sample_log.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

// So long may a write take before samples are readable without it.
constexpr nanoseconds kStall = seconds(1);
constexpr nanoseconds kTick = seconds(1);
// From one write's begin to the next: where many small targets follow each other, a write each
// would cost more than what it writes. Who is sent to does not notice so short a wait.
constexpr nanoseconds kWriteGap = milliseconds(10);
// While there is nothing to save, for what grows old.
constexpr nanoseconds kIdleTick = seconds(30);
// Of one write; what it encodes is in memory twice.
constexpr size_t kWriteBytes = 4 << 20;

}  // namespace

SampleLog::SampleLog(EventLoop& loop, const SampleLogOptions& options,
                     std::unique_ptr<DiskLog> disk)
    : loop_(loop),
      options_(options),
      disk_(std::move(disk)),
      gap_timer_(loop),
      stall_timer_(loop),
      tick_timer_(loop) {
  if (disk_ == nullptr) return;
  next_ = disk_->next_position();
  readable_ = next_ - 1;
  for (const uint32_t p : disk_->partitions()) end_[p] = before_window_[p] = disk_->end(p);
  for (const uint32_t p : disk_->partitions()) {
    const auto& segments = disk_->segments(p);
    if (segments.empty()) continue;
    stats_.recovered += segments.back().summary.end - segments.front().header.before;
  }
  disk_->set_on_resume([this] { Pump(); });
  disk_->set_on_failure([this] { Touch(); });
  tick_timer_.SetAfter(kTick, [this] { Tick(); });
}

SampleLog::~SampleLog() { *self_ = nullptr; }

void SampleLog::Append(Commit commit) {
  if (commit.groups.empty()) return;
  const auto partition = static_cast<uint8_t>(commit.target_key % kLogPartitions);
  Unwritten unwritten;
  unwritten.partition = partition;
  unwritten.first = next_;
  unwritten.records = static_cast<uint32_t>(commit.groups.size());
  unwritten.before = end_[partition];
  unwritten.target_key = commit.target_key;
  unwritten.wall_ms = loop_.WallMs();
  for (GroupSamples& samples : commit.groups) {
    const SampleCounts counts = samples.counts();
    stats_.appended += counts;
    stats_.highest_ms = std::max(stats_.highest_ms, samples.timestamp);
    end_[partition] += counts;
    stats_.bytes += samples.memory_bytes();
    window_.push_back({std::make_shared<const GroupSamples>(std::move(samples)), partition});
    if (on_append_) on_append_(window_.back().samples);
    next_++;
  }
  unwritten.end = end_[partition];
  if (disk_ != nullptr) {
    stats_.unwritten_records += unwritten.records;
    unwritten_.push_back(unwritten);
    Touch();
  }
  if (pump_posted_) return;
  // Commits of one turn are written together.
  pump_posted_ = true;
  loop_.Post([self = self_] {
    SampleLog* log = *self;
    if (log == nullptr) return;
    log->pump_posted_ = false;
    log->Pump();
  });
}

void SampleLog::Pump() {
  stats_.disk_failing = disk_ != nullptr && (disk_->suspended() || stalled_);
  // Memory has to do.
  if (disk_ == nullptr || stats_.disk_failing) MakeReadable(next_ - 1);
  Trim();
  RunWaiting();
  if (disk_ == nullptr || disk_->writing() || disk_->suspended() || unwritten_.empty()) return;
  if (write_begun_ && loop_.Now() < *write_begun_ + kWriteGap) {
    if (!gap_timer_.active()) gap_timer_.Set(*write_begun_ + kWriteGap, [this] { Pump(); });
    return;
  }
  size_t bytes = 0;
  for (Unwritten& commit : unwritten_) {
    if (commit.written) continue;
    if (bytes >= kWriteBytes) break;
    for (uint32_t i = 0; i < commit.records; i++) {
      const LogPosition position = commit.first + i;
      if (position >= first_in_memory()) bytes += At(position).samples->memory_bytes();
    }
    AddToWrite(commit);
  }
  write_begun_ = loop_.Now();
  stall_timer_.SetAfter(kStall, [this] {
    stalled_ = true;
    Pump();
  });
  disk_->Write([this](const DiskLog::WriteOutcome& outcome) { Written(outcome); });
}

void SampleLog::AddToWrite(Unwritten& commit) {
  CommitView view;
  view.mark = {commit.target_key, commit.wall_ms, commit.end};
  view.before = commit.before;
  for (uint32_t i = 0; i < commit.records; i++) {
    const LogPosition position = commit.first + i;
    if (position < first_in_memory()) continue;  // memory was full
    view.items.push_back({position, &At(position).samples});
  }
  commit.in_write = true;
  if (!view.items.empty()) disk_->Add(view, commit.partition);
}

void SampleLog::Written(const DiskLog::WriteOutcome& outcome) {
  stall_timer_.Cancel();
  stalled_ = false;
  for (Unwritten& commit : unwritten_) {
    if (!std::exchange(commit.in_write, false) || !outcome[commit.partition]) continue;
    commit.written = true;
    stats_.unwritten_records -= commit.records;
    for (uint32_t i = 0; i < commit.records; i++) {
      const LogPosition position = commit.first + i;
      if (position >= first_in_memory()) At(position).on_disk = true;
    }
  }
  LogPosition up_to = 0;
  while (!unwritten_.empty() && unwritten_.front().written) {
    up_to = unwritten_.front().first + unwritten_.front().records - 1;
    unwritten_.pop_front();
  }
  if (up_to > 0) MakeReadable(up_to);
  Pump();
}

void SampleLog::MakeReadable(LogPosition up_to) {
  if (up_to <= readable_) return;
  readable_ = up_to;
  NotifyReaders();
}

void SampleLog::RunWaiting() {
  while (!after_appends_.empty() && after_appends_.front().position <= readable_) {
    loop_.Post(std::move(after_appends_.front().done));
    after_appends_.pop_front();
  }
  if (flushes_.empty()) return;
  if (disk_ != nullptr && !unwritten_.empty() && !stats_.disk_failing) return;
  std::vector<std::function<void()>> flushes = std::exchange(flushes_, {});
  if (disk_ == nullptr) {
    for (auto& done : flushes) loop_.Post(std::move(done));
    return;
  }
  SaveCursors(true);
  for (auto& done : flushes) disk_->Flush(std::move(done));
}

void SampleLog::AfterAppends(std::function<void()> done) {
  after_appends_.push_back({next_ - 1, std::move(done)});
  RunWaiting();
}

bool SampleLog::NearlyFull() const {
  const auto nearly = [](uint64_t used, uint64_t limit) { return used >= limit - limit / 10; };
  if (nearly(stats_.bytes, options_.memory_bytes)) return true;
  return disk_ != nullptr && nearly(disk_->stats().bytes, disk_->retention_bytes());
}

void SampleLog::Flush(std::function<void()> done) {
  flushes_.push_back(std::move(done));
  RunWaiting();
}

LogPosition SampleLog::Low() const {
  LogPosition low = next_;
  for (const auto& [id, reader] : readers_) low = std::min(low, LowOf(reader));
  return low;
}

void SampleLog::PopOldest() {
  const Entry& oldest = window_.front();
  before_window_[oldest.partition] += oldest.samples->counts();
  stats_.bytes -= oldest.samples->memory_bytes();
  window_.pop_front();
}

void SampleLog::Trim() {
  const LogPosition low = Low();
  // What is not on disk yet is to come there, though nobody waits for it: the next process may not
  // know that.
  const auto spare = [&] {
    if (disk_ == nullptr) return first_in_memory() < low;
    return window_.front().on_disk &&
           (first_in_memory() < low || stats_.bytes > options_.window_bytes);
  };
  while (!window_.empty() && first_in_memory() <= readable_ && spare()) {
    if (window_.front().dropped) ShedOldest();
    PopOldest();
  }
  while (stats_.bytes > options_.memory_bytes && !window_.empty()) {
    const Entry& oldest = window_.front();
    if (!oldest.on_disk) {
      stats_.evicted += oldest.samples->counts();
      readable_ = std::max(readable_, first_in_memory());
    }
    if (!oldest.on_disk || oldest.dropped) ShedOldest();
    PopOldest();
  }
  ForgetShed();
  stats_.records = window_.size();
}

// Readers that have not come to the oldest in memory will not find it on disk.
void SampleLog::ShedOldest() {
  const LogPosition position = first_in_memory();
  const Entry& oldest = window_.front();
  const SampleCounts counts = oldest.samples->counts();
  for (auto& [id, reader] : readers_) {
    if (reader.next > position) continue;
    if (reader.next < position) {
      // It is still at what is on disk, and will miss this when it has read that.
      reader.shed += counts;
      continue;
    }
    reader.lost += counts;
    Note(reader, position, oldest.partition, counts, true);
    reader.next = position + 1;
    Advance(reader);
  }
}

// Commits of which nothing is in memory any more cannot be written. What a write has in hand is its
// own until that is over.
void SampleLog::ForgetShed() {
  auto first = std::find_if(unwritten_.begin(), unwritten_.end(),
                            [](const Unwritten& commit) { return !commit.in_write; });
  auto last = first;
  for (; last != unwritten_.end() && !last->in_write &&
         last->first + last->records <= first_in_memory();
       ++last) {
    if (!last->written) stats_.unwritten_records -= last->records;
  }
  unwritten_.erase(first, last);
}

void SampleLog::NotifyReaders() {
  for (auto& [id, reader] : readers_) {
    if (reader.notified) continue;
    reader.notified = true;
    loop_.Post([self = self_, reader_id = id] {
      SampleLog* log = *self;
      if (log == nullptr) return;
      auto it = log->readers_.find(reader_id);
      if (it == log->readers_.end()) return;
      it->second.notified = false;
      // A copy: the callback may remove its reader.
      auto on_data = it->second.on_data;
      on_data();
    });
  }
}

void SampleLog::Touch() {
  if (std::exchange(touched_, true) || disk_ == nullptr) return;
  if (tick_timer_.when() > loop_.Now() + kTick) tick_timer_.SetAfter(kTick, [this] { Tick(); });
}

void SampleLog::Tick() {
  touched_ = false;
  // Not more and more of them while the disk stalls.
  if (!stats_.disk_failing || !disk_->saving()) SaveCursors(false);
  disk_->Tick();
  // What is dropped here touches it again.
  TrimDisk();
  tick_timer_.SetAfter(idle() ? kIdleTick : kTick, [this] { Tick(); });
}

bool SampleLog::idle() const {
  return !touched_ && !stats_.disk_failing && unwritten_.empty() && disk_->settled();
}

void SampleLog::TrimDisk() {
  const LogPosition low = Low();
  for (const uint32_t p : disk_->partitions()) {
    LogPosition of_partition = low;
    if (!readers_.empty()) {
      of_partition = next_;
      for (const auto& [id, reader] : readers_) {
        of_partition = std::min(of_partition, std::max(LowOf(reader), reader.recovered[p].low));
      }
    }
    const auto& segments = disk_->segments(p);
    while (!segments.empty() && segments.front().closed &&
           segments.front().summary.last < of_partition) {
      disk_->DropOldest(p, true);
    }
  }
  while (const Segment* oldest = disk_->Oldest()) {
    // Where the disk has no room, what is newest has to go to memory, which ends as well.
    const bool no_room = disk_->suspended() && stats_.bytes > options_.memory_bytes / 2;
    if (!no_room && !disk_->OverRetention(*oldest)) break;
    DropSegment(*oldest);
    disk_->DropOldest(oldest->header.partition, false);
    if (no_room) break;
  }
}

void SampleLog::DropSegment(const Segment& segment) {
  const uint32_t p = segment.header.partition;
  // After a write that failed, the next one may have a part of it too.
  const auto& segments = disk_->segments(p);
  const SampleCounts end = segments.size() < 2
                               ? segment.summary.end
                               : Min(segment.summary.end, segments[1].header.before);
  stats_.evicted += end - segment.header.before;
  for (LogPosition at = std::max(segment.summary.first, first_in_memory());
       at < next_ && at <= segment.summary.last; at++) {
    if (At(at).partition == p) At(at).dropped = true;
  }
  for (auto& [id, reader] : readers_) {
    if (reader.next > segment.summary.last) continue;
    SampleCounts unread =
        Over(end, Over(reader.read[p], segment.header.before).total() > 0 ? reader.read[p]
                                                                          : segment.header.before);
    // What is in memory too is still read from there.
    for (LogPosition at = std::max(reader.next, first_in_memory());
         at < next_ && at <= segment.summary.last; at++) {
      if (At(at).partition == p) unread = Over(unread, At(at).samples->counts());
    }
    if (unread.total() == 0) continue;
    CursorState& recovered = reader.recovered[p];
    const SampleCounts lost = Over(unread, recovered.in_done);
    recovered.in_done = Over(recovered.in_done, unread);
    reader.lost += lost;
    Note(reader, kNowhere, p, unread, true);
    Advance(reader);
  }
}

}  // namespace tributary
