// How the readers of the log go over it, and what is written down of that.
#include <algorithm>
#include <utility>

#include "agent/log/sample_log.h"
#include "common/base/assert.h"

namespace tributary {

namespace {

// Records that a reader may have in hand. Beyond it reads wait.
constexpr size_t kHandedMax = 100'000;
// How far a remote is, is written down once a second: so many records more may have been delivered.
constexpr LogPosition kHandedSinceSaved = 10'000;

bool InRanges(const std::vector<std::pair<LogPosition, LogPosition>>& ranges,
              LogPosition position) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), position,
                                [](LogPosition p, const auto& range) { return p < range.first; });
  return after != ranges.begin() && std::prev(after)->second >= position;
}

}  // namespace

LogPosition SampleLog::LowOf(const Reader& reader) const {
  if (!reader.handed.empty()) return reader.handed.front().position;
  // On disk another partition may have a record at the position that was read last.
  const bool just_read = reader.disk != nullptr && std::find(reader.seen.begin(), reader.seen.end(),
                                                             reader.next) != reader.seen.end();
  return just_read ? reader.next - 1 : reader.next;
}

SampleLog::ReaderId SampleLog::AddReader(const std::string& name, std::function<void()> on_data) {
  Reader& reader = readers_[++last_reader_];
  reader.name = name;
  reader.on_data = std::move(on_data);
  reader.since_ms = loop_.WallMs();
  reader.next = next_;
  reader.read = end_;
  reader.before_low = end_;
  if (disk_ == nullptr) return last_reader_;
  reader.dirty.fill(true);
  if (!Recover(reader)) {
    // From here on it is owed what comes, so it must be known to the next process.
    SaveCursors(false);
    return last_reader_;
  }
  loop_.Post([self = self_, id = last_reader_] {
    SampleLog* log = *self;
    if (log == nullptr || !log->readers_.contains(id)) return;
    auto tell = log->readers_.at(id).on_data;
    tell();
  });
  return last_reader_;
}

bool SampleLog::Recover(Reader& reader) {
  std::array<const CursorState*, kLogPartitions> known{};
  std::optional<LogPosition> low;
  for (const uint32_t p : disk_->partitions()) {
    const auto& cursors = disk_->cursors(p);
    auto it = cursors.find(reader.name);
    // A damaged file tells only its own name: then all that there is may be unsent.
    if (it == cursors.end()) it = cursors.find(CursorName(reader.name));
    if (it == cursors.end()) continue;
    known[p] = &it->second;
    low = std::min(low.value_or(it->second.low), it->second.low);
    if (it->second.since_ms > 0) reader.since_ms = std::min(reader.since_ms, it->second.since_ms);
  }
  if (!low) return false;
  reader.next = *low;
  for (const uint32_t p : disk_->partitions()) {
    CursorState& recovered = reader.recovered[p];
    if (known[p] != nullptr) {
      recovered = *known[p];
    } else {
      // The process ended between the making of its files.
      recovered.low = *low;
    }
    const auto& segments = disk_->segments(p);
    // What was dropped while nobody of this name was there is nobody's loss.
    const SampleCounts first = segments.empty() ? end_[p] : segments.front().header.before;
    SampleCounts& before = recovered.before_low;
    if (const SampleCounts gone = Over(first, before); gone.total() > 0) {
      recovered.in_done = Over(recovered.in_done, gone);
      before += gone;
    }
    // It may count on what an earlier process had in memory only.
    before = Min(before, end_[p]);
    recovered.in_done = Min(recovered.in_done, end_[p] - before);
    reader.read[p] = reader.before_low[p] = before;
    reader.found += end_[p] - before - recovered.in_done;
  }
  if (reader.next >= next_) EndDisk(reader, next_);
  return true;
}

bool SampleLog::HasReader(const std::string& name) const {
  return std::any_of(readers_.begin(), readers_.end(),
                     [&](const auto& entry) { return entry.second.name == name; });
}

void SampleLog::RenameReader(ReaderId id, const std::string& name) {
  Reader& reader = readers_.at(id);
  if (reader.name == name) return;
  const std::string before = std::exchange(reader.name, name);
  if (disk_ == nullptr) return;
  // Names may go from reader to reader: until all have theirs, two may write to the same files.
  for (auto& [each, other] : readers_) {
    if (other.name == before || other.name == name) other.dirty.fill(true);
  }
  // The new place is written before the old one goes.
  SaveCursors(false);
  if (!HasReader(before)) disk_->RemoveCursor(before);
}

void SampleLog::RemoveReader(ReaderId id) {
  readers_.erase(id);
  Trim();
}

void SampleLog::ForgetReader(ReaderId id) {
  const std::string name = readers_.at(id).name;
  RemoveReader(id);
  if (disk_ != nullptr && !HasReader(name)) disk_->RemoveCursor(name);
}

void SampleLog::Read(ReaderId id, uint64_t samples_max, std::function<void(Batch)> done) {
  Reader& reader = readers_.at(id);
  CHECK(!reader.pending);
  reader.pending = {samples_max, std::move(done)};
  PostServe(id);
}

void SampleLog::PostServe(ReaderId id) {
  Reader& reader = readers_.at(id);
  if (std::exchange(reader.serving, true)) return;
  loop_.Post([self = self_, id] {
    SampleLog* log = *self;
    if (log == nullptr) return;
    auto it = log->readers_.find(id);
    if (it == log->readers_.end()) return;
    it->second.serving = false;
    log->Serve(it->second, id);
  });
}

void SampleLog::Serve(Reader& reader, ReaderId id) {
  if (!reader.pending) return;
  Batch batch;
  uint64_t samples = 0;
  Step step = Step::kTaken;
  while (step == Step::kTaken && (samples < reader.pending->samples_max || batch.records.empty())) {
    step = ReadOne(reader, id, batch, samples);
  }
  // What was passed without being handed out is over too.
  Advance(reader);
  Trim();
  if (step == Step::kWaiting && batch.records.empty()) return;
  // The disk may have another record of the last position, or damage that is not told yet.
  batch.at_end = reader.next > readable_ && reader.disk == nullptr;
  batch.lost = std::exchange(reader.lost, {});
  batch.damaged = std::exchange(reader.damaged, {});
  auto done = std::move(reader.pending->done);
  reader.pending.reset();
  done(std::move(batch));
}

SampleLog::Step SampleLog::ReadOne(Reader& reader, ReaderId id, Batch& batch, uint64_t& samples) {
  // The last position on disk may be that of records of several partitions.
  const bool on_disk = reader.disk != nullptr && reader.next == first_in_memory();
  if (reader.disk != nullptr && reader.next > first_in_memory()) EndDisk(reader, reader.next);
  if (reader.next > readable_ && !on_disk) return Step::kAtEnd;
  if (reader.handed.size() >= kHandedMax) return Step::kWaiting;
  if (reader.next < first_in_memory() || on_disk)
    return ReadOneFromDisk(reader, id, batch, samples);
  const Entry& entry = At(reader.next);
  HandOut(reader, reader.next, entry.partition, false, entry.samples, batch, samples);
  return Step::kTaken;
}

SampleLog::Step SampleLog::ReadOneFromDisk(Reader& reader, ReaderId id, Batch& batch,
                                           uint64_t& samples) {
  CHECK(disk_ != nullptr);
  if (reader.disk == nullptr) {
    reader.disk = std::make_unique<DiskReader>(*disk_, reader.next, [this, id] { PostServe(id); });
  }
  // What is in memory is read from there.
  const LogPosition limit = std::min(first_in_memory(), readable_ + 1);
  DiskReader::Head head;
  switch (reader.disk->Peek(limit, head)) {
    case DiskReader::Found::kWaiting:
      return Step::kWaiting;
    case DiskReader::Found::kNone:
      EndDisk(reader, limit);
      return Step::kTaken;
    case DiskReader::Found::kRecord:
      break;
  }
  reader.disk->Pop();
  // It was not on disk when its turn came, and is lost to the reader. Two workers may have given
  // the same position to records of two partitions.
  if (head.position < reader.seen[head.partition] || head.position + 1 < reader.next) {
    return Step::kTaken;
  }
  if (SkipRecovered(reader, head)) {
    reader.next = head.position + 1;
  } else {
    const bool maybe_delivered =
        head.recovered &&
        head.position <= reader.recovered[head.partition].handed_out + kHandedSinceSaved;
    HandOut(reader, head.position, head.partition, maybe_delivered, std::move(head.samples), batch,
            samples);
  }
  return Step::kTaken;
}

void SampleLog::HandOut(Reader& reader, LogPosition position, uint32_t partition,
                        bool maybe_delivered, std::shared_ptr<const GroupSamples> record,
                        Batch& batch, uint64_t& samples) {
  const SampleCounts counts = record->counts();
  samples += counts.total();
  batch.records.push_back(
      {position, reader.first_ticket + reader.handed.size(), maybe_delivered, std::move(record)});
  Note(reader, position, partition, counts, false);
  reader.next = position + 1;
}

void SampleLog::Note(Reader& reader, LogPosition position, uint32_t partition,
                     const SampleCounts& counts, bool done) {
  reader.read[partition] += counts;
  // More was handed out than seemed to be left: see EndDisk.
  SampleCounts& in_done = reader.recovered[partition].in_done;
  const SampleCounts excess = Over(in_done, Over(end_[partition], reader.read[partition]));
  in_done -= excess;
  reader.found += excess;
  // After a loss of power a cursor may be older than the log, and count more in front of its
  // position than the log has left there.
  const SampleCounts beyond = Over(reader.read[partition], end_[partition]);
  reader.read[partition] -= beyond;
  reader.before_low[partition] = Over(reader.before_low[partition], beyond);
  reader.found += beyond;
  reader.seen[partition] = std::max(reader.seen[partition], position + 1);
  reader.handed.push_back({position, counts, static_cast<uint8_t>(partition), done});
  if (done) MarkDirty(reader, partition);
}

// Whether an earlier process was done with it.
bool SampleLog::SkipRecovered(Reader& reader, const DiskReader::Head& head) {
  CursorState& recovered = reader.recovered[head.partition];
  if (head.position < recovered.low) {  // it is in before_low
    reader.seen[head.partition] = head.position + 1;
    return true;
  }
  auto& done = recovered.done;
  if (!InRanges(done, head.position)) return false;
  const SampleCounts counts = head.samples->counts();
  reader.found -= Over(counts, recovered.in_done);
  recovered.in_done = Over(recovered.in_done, counts);
  Note(reader, head.position, head.partition, counts, true);
  return true;
}

// All of the disk below `limit` has been read: what did not come is damaged, or was never written.
void SampleLog::EndDisk(Reader& reader, LogPosition limit) {
  reader.disk.reset();
  for (const uint32_t p : disk_->partitions()) {
    const SampleCounts passed = Over(before_window_[p], reader.read[p]);
    const SampleCounts missing = Over(passed, reader.recovered[p].in_done);
    // Of what was done some was in memory only: others, which are not done, were taken for it.
    reader.found += Over(reader.recovered[p].in_done, passed);
    const SampleCounts shed = missing - Over(missing, reader.shed);
    reader.shed -= shed;
    reader.lost += shed;
    reader.damaged += missing - shed;
    // Up to there before_low counts, however far back other partitions are.
    const LogPosition low = reader.recovered[p].low;
    reader.recovered[p] = {};
    reader.recovered[p].low = low;
    if (passed.total() > 0) Note(reader, kNowhere, p, passed, true);
  }
  reader.shed = {};
  reader.next = limit;
  Advance(reader);
}

void SampleLog::Done(ReaderId id, uint64_t ticket) {
  Reader& reader = readers_.at(id);
  CHECK(ticket >= reader.first_ticket && ticket - reader.first_ticket < reader.handed.size());
  Handed& handed = reader.handed[ticket - reader.first_ticket];
  handed.done = true;
  MarkDirty(reader, handed.partition);
  const bool was_full = reader.handed.size() >= kHandedMax;
  Advance(reader);
  Trim();
  if (was_full && reader.handed.size() < kHandedMax) PostServe(id);
}

void SampleLog::MarkDirty(Reader& reader, uint32_t partition) {
  reader.dirty[partition] = true;
  Touch();
}

void SampleLog::Advance(Reader& reader) {
  while (!reader.handed.empty() && reader.handed.front().done) {
    const Handed& handed = reader.handed.front();
    reader.before_low[handed.partition] += handed.counts;
    reader.passed[handed.partition] =
        std::max(reader.passed[handed.partition], handed.position + 1);
    MarkDirty(reader, handed.partition);
    reader.handed.pop_front();
    reader.first_ticket++;
  }
}

SampleCounts SampleLog::Unread(ReaderId id) const {
  const Reader& reader = readers_.at(id);
  SampleCounts unread = reader.lost + reader.damaged;
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    unread += Over(Over(end_[p], reader.read[p]), reader.recovered[p].in_done);
  }
  return unread;
}

CursorState SampleLog::StateOf(const Reader& reader, uint32_t partition) const {
  const CursorState& recovered = reader.recovered[partition];
  CursorState state;
  state.reader = reader.name;
  state.since_ms = reader.since_ms;
  state.low = std::max({LowOf(reader), recovered.low, reader.passed[partition]});
  state.handed_out = std::max(reader.next - 1, recovered.handed_out);
  state.before_low = reader.before_low[partition];
  bool extends = false;
  for (const Handed& handed : reader.handed) {
    if (handed.partition != partition) continue;
    if (handed.position == kNowhere) {
      state.in_done += handed.counts;
      continue;
    }
    if (!handed.done) {
      extends = false;
      continue;
    }
    if (!extends && state.done.size() == kCursorRangesMax) break;
    state.in_done += handed.counts;
    if (extends) {
      state.done.back().second = std::max(state.done.back().second, handed.position);
    } else {
      state.done.emplace_back(handed.position, handed.position);
    }
    extends = true;
  }
  // What an earlier process was done with, and this one has not come to.
  state.in_done += recovered.in_done;
  for (const auto& [first, last] : recovered.done) {
    if (last < reader.next || state.done.size() == kCursorRangesMax) continue;
    const LogPosition from = std::max(first, reader.next);
    if (!state.done.empty() && state.done.back().second >= from) continue;
    state.done.emplace_back(from, last);
  }
  return state;
}

void SampleLog::SaveCursors(bool all) {
  for (auto& [id, reader] : readers_) {
    for (const uint32_t p : disk_->partitions()) {
      if (disk_->TakeUnsaved(p, reader.name)) reader.dirty[p] = true;
      if (!std::exchange(reader.dirty[p], false) && !all) continue;
      disk_->SaveCursor(p, StateOf(reader, p));
    }
  }
}

}  // namespace tributary
