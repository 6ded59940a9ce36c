#include "agent/log/disk_log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "common/file/replace_file.h"

namespace tributary {

namespace {

constexpr nanoseconds kRetryMin = milliseconds(500);
constexpr nanoseconds kRetryMax = seconds(10);
// A segment is closed after this part of the retention time, so that what is too old can go.
constexpr int kSegmentsPerRetention = 12;

constexpr size_t kFormatBytesMax = 4096;

std::string FormatText() {
  return fmt::format("tributary sample log\nversion {}\npartitions {}\n", kLogVersion,
                     kLogPartitions);
}

}  // namespace

DiskLog::DiskLog(const DiskLogEnvironment& environment, const DiskLogOptions& options)
    : env_(environment), options_(options), retry_timer_(environment.loop) {
  CHECK(options.worker < options.workers && options.workers <= kLogPartitions);
  for (uint32_t p = options.worker; p < kLogPartitions; p += options.workers) {
    partitions_.push_back(p);
  }
}

std::string DiskLog::Folder(uint32_t partition) const {
  return fmt::format("{}/p{}", options_.path, partition);
}

namespace {

// Once, and synced however the rest is: without it the whole log could not be used.
Status WriteFormat(Disk& disk, const std::string& folder) {
  return ReplaceFile(disk, folder + "/format", FormatText());
}

}  // namespace

Status DiskLog::CheckFormat() {
  const std::string path = options_.path + "/format";
  auto names = env_.disk.List(options_.path);
  if (!names) return Fail(names.error().message);
  if (std::find(names->begin(), names->end(), "format") != names->end()) {
    auto known = env_.disk.Open(path, FileMode::kRead);
    if (!known) return Fail(known.error().message);
    std::string text(kFormatBytesMax, '\0');
    auto read = (*known)->ReadAt(0, text.data(), text.size());
    if (!read) return Fail(read.error().message);
    text.resize(*read);
    if (text == FormatText()) return {};
    return Fail(fmt::format(
        "{} says that the folder holds something else than version {} of the sample log in {} "
        "partitions: use the version of Tributary that wrote it, or another --storage.path",
        path, kLogVersion, kLogPartitions));
  }
  // On a full disk the agent works from memory until there is room.
  Status written = WriteFormat(env_.disk, options_.path);
  if (written) return {};
  *format_missing_ = true;
  Suspend(written.error().message);
  return {};
}

Result<std::unique_ptr<DiskLog>> DiskLog::Open(const DiskLogEnvironment& environment,
                                               const DiskLogOptions& options) {
  std::unique_ptr<DiskLog> log(new DiskLog(environment, options));
  if (auto made = environment.disk.CreateDirectories(options.path); !made) {
    return Fail(made.error().message);
  }
  if (auto format = log->CheckFormat(); !format) return Fail(format.error().message);
  std::array<RecoveredPartition, kLogPartitions> recovered;
  // Segments that are gone may come back by a loss of power, with groups of an earlier process.
  log->epoch_ = static_cast<uint64_t>(std::max<TimestampMs>(1, environment.loop.WallMs()));
  for (const uint32_t p : log->partitions_) {
    if (auto opened = log->OpenPartition(p, recovered[p]); !opened) {
      return Fail(opened.error().message);
    }
    log->epoch_ = std::max(log->epoch_, recovered[p].epoch + 1);
  }
  for (const uint32_t p : log->partitions_) {
    log->writers_[p] =
        std::make_unique<PartitionWriter>(log->Folder(p), p, log->epoch_, options.segment_bytes,
                                          std::move(recovered[p]), log->registry_);
  }
  log->Recount();
  return log;
}

Status DiskLog::OpenPartition(uint32_t partition, RecoveredPartition& recovered) {
  const std::string folder = Folder(partition);
  if (auto made = env_.disk.CreateDirectories(folder); !made) return made;
  auto opened = RecoverPartition(env_.disk, folder, partition);
  if (!opened) return Fail(opened.error().message);
  recovered = std::move(*opened);
  for (const std::string& warning : recovered.warnings) env_.logger.Warn(warning);
  stats_.damaged_bytes += recovered.damaged_bytes;
  stats_.unfinished_bytes += recovered.unfinished_bytes;
  stats_.foreign_files += recovered.foreign_files;
  stats_.unreadable_segments += recovered.unreadable_segments;
  stats_.repeated_segments += recovered.repeated_segments;
  if (!recovered.segments.empty()) {
    const SegmentSummary& last = recovered.segments.back().summary;
    ends_[partition] = last.end;
    next_position_ = std::max(next_position_, last.last + 1);
  }
  return ReadCursors(partition, folder);
}

Status DiskLog::ReadCursors(uint32_t partition, const std::string& folder) {
  auto names = env_.disk.List(folder);
  if (!names) return Fail(names.error().message);
  for (const std::string& name : *names) {
    if (!IsCursorName(name)) continue;
    auto read = ReadCursor(env_.disk, folder + "/" + name);
    if (read && *read && (*read)->newer) {
      return Fail(fmt::format(
          "{}/{} was written by a newer version of Tributary: use that, or another --storage.path",
          folder, name));
    }
    if (!read || !*read) {
      env_.logger.Warn(
          "a remote's position in the sample log cannot be read: what is in the log "
          "will be sent again",
          {{"file", folder + "/" + name}, {"err", read ? "it is damaged" : read.error().message}});
      // Under no name, so that it is known to be missing.
      cursors_[partition][name] = {};
      continue;
    }
    const CursorState& state = (*read)->state;
    cursor_writers_[partition][state.reader] =
        std::make_shared<CursorWriter>(folder + "/" + name, (*read)->serial);
    next_position_ = std::max({next_position_, state.handed_out + 1, state.low});
    ends_[partition] = Max(ends_[partition], state.before_low + state.in_done);
    cursors_[partition][state.reader] = state;
  }
  return {};
}

void DiskLog::Suspend(const std::string& error) {
  stats_.write_failures++;
  last_error_ = error;
  suspended_ = true;
  retry_wait_ = std::clamp(2 * retry_wait_, kRetryMin, kRetryMax);
  retry_timer_.SetAfter(retry_wait_, [this] { Resume(); });
  uint64_t held_back = 0;
  if (failure_log_.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Error("the sample log cannot be written: samples are kept in memory",
                      {{"err", error}, {"similar", std::to_string(held_back)}});
  }
}

void DiskLog::Resume() {
  suspended_ = false;
  if (!suspended() && on_resume_) on_resume_();
}

void DiskLog::Write(std::function<void(const WriteOutcome&)> done) {
  CHECK(!writing_);
  writing_ = true;
  auto writes = std::make_shared<std::vector<std::shared_ptr<PartitionWrite>>>();
  for (const uint32_t p : partitions_) {
    if (auto write = writers_[p]->Take(options_.fsync == Fsync::kAlways)) {
      writes->push_back(std::move(write));
    }
  }
  env_.io.Run(
      [writes, &disk = env_.disk, missing = format_missing_, path = options_.path] {
        const Status format = *missing ? WriteFormat(disk, path) : Status();
        if (format) *missing = false;
        for (const auto& write : *writes) {
          write->status = format;
          if (format) write->Run(disk);
        }
      },
      [self = self_, writes, done = std::move(done)] {
        DiskLog* log = *self;
        if (log == nullptr) return;
        log->writing_ = false;
        WriteOutcome outcome;
        const Status* failed = nullptr;
        for (const auto& write : *writes) {
          log->writers_[write->partition]->Finish(*write);
          outcome[write->partition] = write->status;
          if (!write->status) failed = &write->status;
          log->NoteUnsynced(*write);
        }
        if (failed != nullptr) {
          log->Suspend(failed->error().message);
        } else {
          log->retry_wait_ = {};
        }
        log->Recount();
        done(outcome);
      });
}

void DiskLog::NoteUnsynced(const PartitionWrite& write) {
  if (options_.fsync != Fsync::kInterval) return;
  unsynced_[write.partition] = true;
  if (!write.create.empty()) unsynced_folders_[write.partition] = true;
  if (write.closing != nullptr) unsynced_closed_.push_back(write.closing);
}

void DiskLog::Recount() {
  stats_.segments = 0;
  stats_.bytes = 0;
  for (const uint32_t p : partitions_) {
    stats_.segments += segments(p).size();
    for (const Segment& segment : segments(p)) stats_.bytes += segment.file_bytes;
  }
}

const Segment* DiskLog::Oldest() const {
  const Segment* oldest = nullptr;
  for (const uint32_t p : partitions_) {
    if (segments(p).empty()) continue;
    const Segment& segment = segments(p).front();
    if (!segment.closed) continue;
    if (oldest == nullptr || segment.summary.last < oldest->summary.last) oldest = &segment;
  }
  return oldest;
}

bool DiskLog::OverRetention(const Segment& oldest) const {
  return stats_.bytes > options_.retention_bytes ||
         oldest.summary.last_ms < env_.loop.WallMs() - options_.retention_time.count();
}

void DiskLog::DropOldest(uint32_t partition, bool done_with) {
  PartitionWriter& writer = *writers_[partition];
  (done_with ? stats_.segments_removed : stats_.segments_dropped)++;
  // Where it is not known on disk that a segment is done with, it has to stay, for else the next
  // process would miss it. If it cannot be removed now it is found when the log is next opened.
  std::vector<std::shared_ptr<CursorWriter>> cursors;
  if (done_with) {
    for (const auto& [reader, cursor] : cursor_writers_[partition]) cursors.push_back(cursor);
  }
  auto removed = std::make_shared<bool>();
  slow_io().RunQuietly(
      [&disk = env_.disk, path = writer.segments().front().path, cursors, removed] {
        const bool known = std::all_of(cursors.begin(), cursors.end(),
                                       [](const auto& cursor) { return cursor->saved(); });
        *removed = known && disk.Remove(path).has_value();
        return false;
      },
      [self = self_, removed] {
        if (*self != nullptr && !*removed) (*self)->stats_.remove_failures++;
      });
  writer.DropOldest();
  Recount();
}

void DiskLog::Tick() {
  CheckSpace();
  if (options_.fsync == Fsync::kInterval &&
      env_.loop.Now() - last_sync_ >= options_.fsync_interval) {
    Sync();
  }
  for (const uint32_t p : partitions_) {
    PartitionWriter& writer = *writers_[p];
    if (writer.file() == nullptr) continue;
    const TimestampMs age = env_.loop.WallMs() - writer.begun_ms();
    if (age > options_.retention_time.count() / kSegmentsPerRetention) writer.Roll();
  }
}

bool DiskLog::settled() const {
  const auto any = [](const auto& flags) {
    return std::any_of(flags.begin(), flags.end(), [](bool flag) { return flag; });
  };
  const bool unsaved = std::any_of(unsaved_.begin(), unsaved_.end(),
                                   [](const auto& readers) { return !readers.empty(); });
  return !unsaved && !any(unsynced_) && !any(unsynced_folders_) && unsynced_closed_.empty();
}

void DiskLog::CheckSpace() {
  if (checking_space_ || options_.free_min <= 0) return;
  checking_space_ = true;
  auto space = std::make_shared<Result<FileSpace>>();
  const auto low = [min = options_.free_min](const FileSpace& found) {
    return static_cast<double>(found.free) < min * static_cast<double>(found.total);
  };
  slow_io().RunQuietly(
      [&disk = env_.disk, path = options_.path, space, low, before = below_free_min_] {
        *space = disk.Space(path);
        return space->has_value() && low(**space) != before;
      },
      [self = self_, space, low] {
        DiskLog* log = *self;
        if (log == nullptr) return;
        log->checking_space_ = false;
        if (!*space) return;
        const bool before = log->below_free_min_;
        log->below_free_min_ = low(**space);
        if (log->below_free_min_ && !before) {
          log->last_error_ = "the file system has too little space left";
          log->env_.logger.Error(
              "the disk of the sample log has too little space left: samples are kept in "
              "memory",
              {{"path", log->options_.path},
               {"free_bytes", std::to_string((*space)->free)},
               {"total_bytes", std::to_string((*space)->total)}});
        }
        if (before && !log->suspended() && log->on_resume_) log->on_resume_();
      });
}

void DiskLog::Sync() {
  if (syncing_) return;
  struct Work {
    std::vector<std::pair<uint32_t, std::shared_ptr<File>>> files;
    std::vector<std::shared_ptr<File>> closed;
    std::vector<std::pair<uint32_t, std::string>> folders;
    std::vector<std::pair<uint32_t, std::string>> failed;
    std::vector<uint32_t> failed_folders;
    size_t failed_closed = 0;
  };
  auto work = std::make_shared<Work>();
  for (const uint32_t p : partitions_) {
    if (std::exchange(unsynced_[p], false) && writers_[p]->file() != nullptr) {
      work->files.emplace_back(p, writers_[p]->file());
    }
    if (std::exchange(unsynced_folders_[p], false)) work->folders.emplace_back(p, Folder(p));
  }
  work->closed = std::exchange(unsynced_closed_, {});
  if (work->files.empty() && work->folders.empty() && work->closed.empty()) return;
  syncing_ = true;
  last_sync_ = env_.loop.Now();
  slow_io().RunQuietly(
      [work, &disk = env_.disk] {
        for (const auto& [partition, file] : work->files) {
          if (auto synced = file->Sync(); !synced) {
            work->failed.emplace_back(partition, synced.error().message);
          }
        }
        for (const auto& file : work->closed) work->failed_closed += file->Sync() ? 0 : 1;
        // So that what is synced is found after a loss of power.
        for (const auto& [partition, folder] : work->folders) {
          if (!disk.SyncDirectory(folder)) work->failed_folders.push_back(partition);
        }
        return work->failed_closed > 0 || !work->failed.empty() || !work->failed_folders.empty();
      },
      [self = self_, work] {
        DiskLog* log = *self;
        if (log == nullptr) return;
        log->syncing_ = false;
        log->stats_.sync_failures += work->failed_closed + work->failed_folders.size();
        for (const uint32_t partition : work->failed_folders) {
          log->unsynced_folders_[partition] = true;
        }
        for (const auto& [partition, error] : work->failed) {
          log->stats_.sync_failures++;
          log->last_error_ = error;
          // What the system could not write once it may have thrown away.
          log->writers_[partition]->Roll();
          uint64_t held_back = 0;
          if (log->failure_log_.Allow(log->env_.loop.Now(), held_back)) {
            log->env_.logger.Error("the sample log cannot be synced", {{"err", error}});
          }
        }
        if (!log->settled() && log->on_failure_) log->on_failure_();
      });
}

void DiskLog::SaveCursor(uint32_t partition, const CursorState& state) {
  std::shared_ptr<CursorWriter>& writer = cursor_writers_[partition][state.reader];
  if (writer == nullptr) {
    writer = std::make_shared<CursorWriter>(Folder(partition) + "/" + CursorName(state.reader), 0);
  }
  saves_++;
  auto saved = std::make_shared<bool>();
  CursorWriter::Durable durable = CursorWriter::Durable::kWhenMade;
  if (options_.fsync == Fsync::kAlways) durable = CursorWriter::Durable::kAlways;
  if (options_.fsync == Fsync::kNever) durable = CursorWriter::Durable::kNo;
  slow_io().RunQuietly(
      [&disk = env_.disk, writer, state, saved, durable] {
        *saved = writer->Write(disk, state, durable).has_value();
        return !*saved;
      },
      [self = self_, partition, reader = state.reader, saved] {
        DiskLog* log = *self;
        if (log == nullptr) return;
        log->saves_--;
        if (*saved) return;
        log->stats_.cursor_failures++;
        log->unsaved_[partition].insert(reader);
        if (log->on_failure_) log->on_failure_();
      });
}

void DiskLog::RemoveCursor(const std::string& reader) {
  std::vector<std::string> paths;
  for (const uint32_t p : partitions_) {
    cursors_[p].erase(reader);
    cursors_[p].erase(CursorName(reader));  // as one that could not be read is known
    cursor_writers_[p].erase(reader);
    paths.push_back(Folder(p) + "/" + CursorName(reader));
  }
  slow_io().RunQuietly(
      [&disk = env_.disk, paths] {
        for (const std::string& path : paths) static_cast<void>(disk.Remove(path));
        return false;
      },
      [] {});
}

void DiskLog::NoteReadFailure(const std::string& error) {
  stats_.read_failures++;
  last_error_ = error;
  uint64_t held_back = 0;
  if (!read_failure_log_.Allow(env_.loop.Now(), held_back)) return;
  env_.logger.Warn("the sample log cannot be read, trying again",
                   {{"err", error}, {"similar", std::to_string(held_back)}});
}

void DiskLog::Flush(std::function<void()> done) {
  env_.io.Run([] {},
              [self = self_, done = std::move(done)] {
                if (*self != nullptr) (*self)->slow_io().Run([] {}, done);
              });
}

}  // namespace tributary
