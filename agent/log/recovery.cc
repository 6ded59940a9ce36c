#include "agent/log/recovery.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "agent/log/record_stream.h"

namespace tributary {

std::string SegmentName(uint64_t sequence) { return fmt::format("{:020}.seg", sequence); }

bool ParseSegmentName(const std::string& name, uint64_t& sequence) {
  constexpr size_t kDigits = 20;
  if (name.size() != kDigits + 4 || name.substr(kDigits) != ".seg") return false;
  const char* end = name.data() + kDigits;
  const auto parsed = std::from_chars(name.data(), end, sequence);
  return parsed.ec == std::errc() && parsed.ptr == end && sequence > 0;
}

namespace {

constexpr size_t kReadBytes = 1 << 20;
// What cannot be read is tried again: a segment that is left out is left out as long as the process
// runs.
constexpr int kTries = 3;

template <typename F>
auto Retrying(F f) -> decltype(f()) {
  auto result = f();
  for (int i = 1; i < kTries && !result; i++) result = f();
  return result;
}

class Opener {
 public:
  Opener(Disk& disk, RecoveredPartition& partition) : disk_(disk), partition_(partition) {}

  // Adds it, unless there is nothing in it.
  Status Open(Segment segment) {
    auto file = Retrying([&] { return disk_.Open(segment.path, FileMode::kWrite); });
    bool writable = file.has_value();
    if (!file) file = disk_.Open(segment.path, FileMode::kRead);
    auto size = file ? Retrying([&] { return (*file)->Size(); })
                     : Result<uint64_t>(Fail(file.error().message));
    std::string head(SegmentHeader::kBytes, '\0');
    auto read = size ? Retrying([&] { return (*file)->ReadAt(0, head.data(), head.size()); })
                     : Result<size_t>(Fail(size.error().message));
    if (!read) {
      // It stays for the next process. What it has is missed, and counted, once a reader comes to
      // what follows.
      partition_.unreadable_segments++;
      Warn("a segment of the sample log cannot be read: " + read.error().message);
      return {};
    }
    segment.file_bytes = *size;
    head.resize(*read);
    // A header that is damaged may say anything.
    const uint64_t sequence = segment.header.sequence;
    const uint32_t partition = segment.header.partition;
    switch (DecodeSegmentHeader(head, segment.header)) {
      case HeaderOutcome::kNewer:
        return Fail(fmt::format(
            "{} was written by a newer version of Tributary: use that, or another --storage.path",
            segment.path));
      case HeaderOutcome::kForeign:
        partition_.foreign_files++;
        Warn(segment.path + " is no segment of the sample log: it is left alone");
        return {};
      case HeaderOutcome::kDamaged:
        if (*size > SegmentHeader::kBytes) {
          partition_.damaged_bytes += SegmentHeader::kBytes;
          Warn(segment.path + ": the header is damaged");
        }
        segment.header = {partition, sequence, 0, {}};
        break;
      case HeaderOutcome::kRead:
        if (segment.header.partition == partition) break;
        // Its counts go on from those of others.
        partition_.foreign_files++;
        Warn(fmt::format("{} is a segment of partition {}: it is left alone", segment.path,
                         segment.header.partition));
        return {};
    }
    segment.header.sequence = sequence;
    partition_.epoch = std::max(partition_.epoch, segment.header.epoch);
    if (!ReadFooter(**file, segment)) Scan(**file, segment, writable);
    segment.closed = true;
    if (segment.summary.records == 0) {
      // It held no commit: nobody was told that anything in it was safe.
      if (writable) static_cast<void>(disk_.Remove(segment.path));
    } else {
      partition_.segments.push_back(std::move(segment));
    }
    return {};
  }

 private:
  void Warn(std::string text) { partition_.warnings.push_back(std::move(text)); }

  bool ReadFooter(File& file, Segment& segment) {
    if (segment.file_bytes < SegmentHeader::kBytes + kFooterBytes) return false;
    std::string tail(kFooterBytes, '\0');
    auto read = Retrying(
        [&] { return file.ReadAt(segment.file_bytes - kFooterBytes, tail.data(), tail.size()); });
    if (!read || *read != tail.size()) return false;
    auto footer = DecodeFooter(tail, segment.file_bytes);
    if (!footer) return false;
    segment.summary = footer->summary;
    segment.bytes = footer->offset;
    return true;
  }

  // Finds the last whole commit, and closes the segment behind it.
  // What cannot be read is left as it is: then `writable` is false.
  void Scan(File& file, Segment& segment, bool& writable) {
    RecordStream stream(SegmentHeader::kBytes);
    std::string buffer;
    SegmentSummary summary;  // with samples whose commit has not ended yet
    summary.end = segment.header.before;
    segment.bytes = SegmentHeader::kBytes;
    segment.summary = {};
    segment.summary.end = segment.header.before;
    uint64_t damaged = 0, damages = 0;  // before the last commit
    Record record;
    for (bool at_end = false; !at_end;) {
      buffer.resize(kReadBytes);
      auto read = Retrying([&] { return file.ReadAt(stream.end(), buffer.data(), buffer.size()); });
      if (!read) {
        Warn("a segment of the sample log cannot be read: " + read.error().message);
        writable = false;
      }
      buffer.resize(read.value_or(0));
      at_end = buffer.size() < kReadBytes;
      stream.Push(buffer, at_end);
      while (stream.Next(record)) {
        if (record.type == RecordType::kSamples) {
          auto head = DecodeSamplesHead(record.payload);
          if (!head) continue;
          if (summary.first == 0) summary.first = head->position;
          summary.last = std::max(summary.last, head->position);
          summary.records++;
        } else if (record.type == RecordType::kCommit) {
          auto mark = DecodeCommit(record.payload);
          if (!mark) continue;
          summary.last_ms = mark->wall_ms;
          summary.end = mark->end;
          segment.summary = summary;
          segment.bytes = stream.offset();
          damaged = stream.damaged_bytes();
          damages = stream.damages();
        }
      }
    }
    if (damages > 0) {
      partition_.damaged_bytes += damaged;
      Warn(fmt::format("{}: {} bytes in {} places are damaged and are left out", segment.path,
                       damaged, damages));
    }
    const uint64_t behind = segment.file_bytes - std::min(segment.file_bytes, segment.bytes);
    partition_.unfinished_bytes += behind;
    if (behind > 0 && segment.summary.records > 0) {
      Warn(
          fmt::format("{}: a commit was not finished when the process ended: {} bytes are left out",
                      segment.path, behind));
    }
    if (writable && segment.summary.records > 0) Close(file, segment);
  }

  // If it fails the segment is read through again next time.
  void Close(File& file, Segment& segment) {
    if (!file.Truncate(segment.bytes)) return;
    segment.file_bytes = segment.bytes;
    const std::string footer = EncodeFooter({segment.summary, segment.bytes});
    if (!file.WriteAt(segment.bytes, footer)) return;
    segment.file_bytes += footer.size();
  }

  Disk& disk_;
  RecoveredPartition& partition_;
};

// Whether all of `b` is in `a` too. Of one whose header is damaged that cannot be known.
bool Repeats(const Segment& a, const Segment& b) {
  return a.header.epoch > 0 && a.header.epoch == b.header.epoch &&
         a.summary.first <= b.summary.first && b.summary.last <= a.summary.last &&
         Within(a.header.before, b.header.before) && Within(b.summary.end, a.summary.end);
}

// A write that failed is repeated into a new segment, though some or all of it may have come to the
// disk. The counts of what follows go by the last segment, so it must be the one that has most.
void LeaveOutRepeats(Disk& disk, RecoveredPartition& partition) {
  auto& segments = partition.segments;
  for (auto it = segments.begin(); it != segments.end();) {
    const auto other = std::find_if(segments.begin(), segments.end(), [&](const Segment& segment) {
      return &segment != &*it && Repeats(segment, *it);
    });
    if (other == segments.end()) {
      ++it;
      continue;
    }
    // A loss of power must not take the one that stays.
    auto file = disk.Open(other->path, FileMode::kWrite);
    if (file && (*file)->Sync()) static_cast<void>(disk.Remove(it->path));
    it = segments.erase(it);
    partition.repeated_segments++;
  }
  if (partition.repeated_segments == 0) return;
  partition.warnings.push_back(fmt::format(
      "partition {} of the sample log: {} segments hold only what others hold too, from writes "
      "that failed: they are left out",
      segments.front().header.partition, partition.repeated_segments));
}

}  // namespace

Result<RecoveredPartition> RecoverPartition(Disk& disk, const std::string& folder,
                                            uint32_t partition) {
  RecoveredPartition recovered;
  auto names = disk.List(folder);
  if (!names) return Fail(names.error().message);
  Opener opener(disk, recovered);
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    Segment segment;
    segment.header.partition = partition;
    if (!ParseSegmentName(name, segment.header.sequence)) continue;
    segment.path = folder + "/" + name;
    recovered.next_sequence = segment.header.sequence + 1;
    if (auto opened = opener.Open(std::move(segment)); !opened) return Fail(opened.error().message);
  }
  std::sort(recovered.segments.begin(), recovered.segments.end(),
            [](const Segment& a, const Segment& b) { return a.age() < b.age(); });
  LeaveOutRepeats(disk, recovered);
  return recovered;
}

}  // namespace tributary
