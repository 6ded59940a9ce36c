#include "agent/log/log_scan.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/log/record_stream.h"
#include "agent/series/metadata_pool.h"

namespace tributary {

namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kFormatBytesMax = 4096;

bool IsIn(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<std::string> ReadAt(File& file, uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  auto read = file.ReadAt(offset, bytes.data(), bytes.size());
  if (!read) return Fail(read.error().message);
  bytes.resize(*read);
  return bytes;
}

// The number behind "NAME " at the beginning of a line; 0: there is none.
uint32_t NumberOf(std::string_view text, std::string_view name) {
  const std::string wanted = "\n" + std::string(name) + " ";
  const size_t at = text.find(wanted);
  uint32_t number = 0;
  if (at == std::string_view::npos) return 0;
  const char* begin = text.data() + at + wanted.size();
  std::from_chars(begin, text.data() + text.size(), number);
  return number;
}

class Scanner {
 public:
  Scanner(File& file, const SegmentFacts& facts, const ScanHandlers& handlers)
      : file_(file),
        segment_(facts.segment),
        handlers_(handlers),
        end_(segment_.closed ? segment_.bytes : segment_.file_bytes),
        expected_(SegmentHeader::kBytes) {
    if (handlers.end > 0) end_ = std::min(end_, handlers.end);
    scan_.summary.end = running_.end = segment_.header.before;
    scan_.committed_end = SegmentHeader::kBytes;
  }

  Result<SegmentScan> Run() {
    RecordStream stream(SegmentHeader::kBytes);
    Record record;
    // The end of one that may be growing is looked at apart.
    for (bool at_end = false; !at_end && !enough_;) {
      const uint64_t left = end_ - std::min(end_, stream.end());
      auto bytes = ReadAt(file_, stream.end(), std::min<uint64_t>(left, kReadBytes));
      if (!bytes) return Fail(bytes.error().message);
      at_end = bytes->size() == left || bytes->empty();
      stream.Push(*bytes, at_end);
      while (!enough_ && stream.Next(record)) {
        const uint64_t begin = stream.offset() - record.bytes;
        if (begin > expected_) Damaged(expected_, begin - expected_, "no record can be read here");
        expected_ = stream.offset();
        Take(record, begin);
      }
    }
    if (enough_) return scan_;
    if (auto tail = LookAtTail(); !tail) return Fail(tail.error().message);
    scan_.unfinished_bytes = end_ - std::min(end_, scan_.committed_end);
    if (segment_.closed) {
      scan_.unfinished_bytes = 0;
      CheckFooter();
    }
    return std::move(scan_);
  }

 private:
  void Damaged(uint64_t offset, uint64_t bytes, std::string what) {
    damaged_ = true;
    if (handlers_.on_damage) handlers_.on_damage({segment_.path, offset, bytes, std::move(what)});
  }

  Status LookAtTail() {
    if (expected_ >= end_) return {};
    const uint64_t bytes = end_ - expected_;
    if (!segment_.closed && handlers_.end == 0) {
      auto head = ReadAt(file_, expected_, std::min<uint64_t>(bytes, kRecordHeaderBytes));
      if (!head) return Fail(head.error().message);
      Record record;
      uint32_t size = 0;
      if (head->size() >= sizeof(size)) memcpy(&size, head->data(), sizeof(size));
      bool plausible = ReadRecord(*head, record) == RecordOutcome::kCut;
      // A footer is always of one size.
      constexpr size_t kFooterPayload = kFooterBytes - kTrailerBytes - kRecordHeaderBytes;
      if (head->size() == kRecordHeaderBytes && size != kFooterPayload) {
        plausible &= static_cast<RecordType>(head->back()) != RecordType::kFooter;
      }
      if (plausible && bytes < kRecordHeaderBytes + size) return {};  // it is cut
      auto zeros = IsZeros(bytes);
      if (!zeros) return Fail(zeros.error().message);
      if (*zeros) return {};
    }
    Damaged(expected_, bytes, "no record can be read here");
    return {};
  }

  // What a loss of power may leave.
  Result<bool> IsZeros(uint64_t left) {
    for (uint64_t offset = expected_; left > 0;) {
      auto bytes = ReadAt(file_, offset, std::min<uint64_t>(left, kReadBytes));
      if (!bytes) return Fail(bytes.error().message);
      if (bytes->empty()) return true;
      if (bytes->find_first_not_of('\0') != std::string::npos) return false;
      offset += bytes->size();
      left -= bytes->size();
    }
    return true;
  }

  void CheckFooter() {
    const SegmentSummary& said = segment_.summary;
    const SegmentSummary& found = scan_.summary;
    if (damaged_ || handlers_.end > 0) return;
    if (found.first == said.first && found.last == said.last && found.records == said.records &&
        found.end == said.end) {
      return;
    }
    Damaged(
        segment_.bytes, kFooterBytes,
        fmt::format("the footer says {} records from {} to {}, there are {} from {} to {}",
                    said.records, said.first, said.last, found.records, found.first, found.last));
  }

  void Take(const Record& record, uint64_t begin) {
    Status taken;
    switch (record.type) {
      case RecordType::kDefinition:
        taken = Define(record.payload);
        break;
      case RecordType::kMetadata:
      case RecordType::kStarts:
        taken = Describe(record);
        break;
      case RecordType::kSamples:
        taken = TakeSamples(record.payload);
        break;
      case RecordType::kCommit:
        taken = EndCommit(record.payload, begin + record.bytes);
        break;
      case RecordType::kFooter:
        // That of a segment whose trailer is not there (yet).
        break;
    }
    if (!taken) Damaged(begin, record.bytes, std::move(taken.error().message));
  }

  Status Define(std::string_view payload) {
    auto record = DecodeDefinition(payload);
    if (!record) return Fail(record.error().message);
    auto definition = GroupDefinition::FromCompressed(record->target_key, record->generation,
                                                      record->series, record->compressed);
    groups_[record->group] = definition ? *definition : nullptr;
    if (!definition) return Fail(definition.error().message);
    scan_.definitions++;
    return {};
  }

  Status Describe(const Record& record) {
    std::string_view payload = record.payload;
    auto number = DecodeGroup(payload);
    if (!number) return Fail(number.error().message);
    auto group = GroupOf(*number);
    if (!group) return Fail(group.error().message);
    if (*group == nullptr) return {};
    if (record.type == RecordType::kMetadata) {
      auto metadata = DecodeMetadata(payload, (*group)->series(), metadata_);
      if (!metadata) return Fail(metadata.error().message);
    } else if (auto starts = DecodeStarts(payload, (*group)->series()); !starts) {
      return Fail(starts.error().message);
    }
    return {};
  }

  // Null: it has been told that there is none.
  Result<GroupRef> GroupOf(uint64_t number) {
    auto [it, is_new] = groups_.try_emplace(number);
    if (is_new) return Fail(fmt::format("group {} is not defined before its samples", number));
    return it->second;
  }

  Status TakeSamples(std::string_view payload) {
    auto head = DecodeSamplesHead(payload);
    if (!head) return Fail(head.error().message);
    if (head->position <= running_.last) {
      return Fail(fmt::format("position {} comes after {}", head->position, running_.last));
    }
    if (running_.first == 0) running_.first = head->position;
    running_.last = head->position;
    running_.records++;
    auto group = GroupOf(head->group);
    if (!group) return Fail(group.error().message);
    if (*group == nullptr) return {};
    GroupSamples samples;
    samples.group = *group;
    if (auto decoded = DecodeSamples(payload, (*group)->series(), samples); !decoded) {
      return decoded;
    }
    scan_.counts += samples.counts();
    if (handlers_.on_samples && !handlers_.on_samples(head->position, samples)) enough_ = true;
    return {};
  }

  Status EndCommit(std::string_view payload, uint64_t end) {
    auto mark = DecodeCommit(payload);
    if (!mark) return Fail(mark.error().message);
    scan_.commits++;
    if (scan_.first_ms == 0) scan_.first_ms = mark->wall_ms;
    running_.last_ms = mark->wall_ms;
    running_.end = mark->end;
    scan_.summary = running_;
    scan_.committed_end = end;
    // More may have been there that memory had no room for, but not less.
    if (!damaged_ && !Within(segment_.header.before + scan_.counts, mark->end)) {
      return Fail("a commit says that there are fewer samples than there are");
    }
    return {};
  }

  File& file_;
  const Segment& segment_;
  const ScanHandlers& handlers_;
  uint64_t end_;
  uint64_t expected_;  // where the next record begins
  bool damaged_ = false;
  bool enough_ = false;
  SegmentSummary running_;  // with what is not committed
  SegmentScan scan_;
  boost::unordered_flat_map<uint64_t, GroupRef> groups_;
  MetadataPool metadata_;
};

}  // namespace

Result<LogFolder> FindLog(Disk& disk, const std::string& path) {
  for (const std::string& folder : {path, path + "/log"}) {
    auto names = disk.List(folder);
    if (!names) {
      if (folder == path) return Fail(names.error().message);
      continue;
    }
    if (!IsIn(*names, "format")) continue;
    const std::string file_path = folder + "/format";
    auto file = disk.Open(file_path, FileMode::kRead);
    if (!file) return Fail(file.error().message);
    auto text = ReadAt(**file, 0, kFormatBytesMax);
    if (!text) return Fail(text.error().message);
    LogFolder found{folder, NumberOf(*text, "version"), NumberOf(*text, "partitions")};
    if (!text->starts_with("tributary sample log\n") || found.version != kLogVersion ||
        found.partitions != kLogPartitions) {
      return Fail(fmt::format("{}: this is no sample log of version {} in {} partitions", file_path,
                              kLogVersion, kLogPartitions));
    }
    return found;
  }
  return Fail(fmt::format("there is no sample log in {}: neither {}/format nor {}/log/format", path,
                          path, path));
}

Result<std::optional<SegmentFacts>> ReadSegmentFacts(Disk& disk, const std::string& path,
                                                     uint32_t partition, uint64_t sequence) {
  auto file = disk.Open(path, FileMode::kRead);
  if (!file) {
    const size_t slash = path.rfind('/');
    auto names = disk.List(path.substr(0, slash));
    if (names && !IsIn(*names, path.substr(slash + 1))) return std::nullopt;
    return Fail(file.error().message);
  }
  auto size = (*file)->Size();
  if (!size) return Fail(size.error().message);
  SegmentFacts facts;
  facts.segment.path = path;
  facts.segment.file_bytes = facts.segment.bytes = *size;
  auto head = ReadAt(**file, 0, SegmentHeader::kBytes);
  if (!head) return Fail(head.error().message);
  SegmentHeader header;
  const HeaderOutcome outcome = DecodeSegmentHeader(*head, header);
  if (outcome == HeaderOutcome::kNewer) return Fail(path + " was written by a newer version");
  if (outcome == HeaderOutcome::kForeign) {
    facts.header_damage = {path, 0, SegmentHeader::kBytes, "this is no segment of the sample log"};
  } else if (outcome == HeaderOutcome::kDamaged) {
    if (*size <= SegmentHeader::kBytes) {
      facts.empty = true;
    } else {
      facts.header_damage = {path, 0, SegmentHeader::kBytes, "the header is damaged"};
    }
  } else if (header.partition != partition || header.sequence != sequence) {
    facts.header_damage = {path, 0, SegmentHeader::kBytes,
                           fmt::format("the header says partition {}, sequence {}: the file has "
                                       "another one's name",
                                       header.partition, header.sequence)};
  }
  if (facts.header_damage) {
    header = {};
  }
  facts.segment.header = header;
  facts.segment.header.partition = partition;
  facts.segment.header.sequence = sequence;
  if (*size < SegmentHeader::kBytes + kFooterBytes) return facts;
  auto tail = ReadAt(**file, *size - kFooterBytes, kFooterBytes);
  if (!tail) return Fail(tail.error().message);
  if (auto footer = DecodeFooter(*tail, *size)) {
    facts.segment.closed = true;
    facts.segment.summary = footer->summary;
    facts.segment.bytes = footer->offset;
  }
  return facts;
}

Result<SegmentScan> ScanSegment(Disk& disk, const SegmentFacts& facts,
                                const ScanHandlers& handlers) {
  if (facts.header_damage && handlers.on_damage) handlers.on_damage(*facts.header_damage);
  if (facts.empty) return SegmentScan{};
  auto file = disk.Open(facts.segment.path, FileMode::kRead);
  if (!file) return Fail(file.error().message);
  return Scanner(**file, facts, handlers).Run();
}

Result<PartitionFacts> ReadPartitionFacts(Disk& disk, const LogFolder& folder, uint32_t partition) {
  PartitionFacts facts;
  facts.partition = partition;
  const std::string path = fmt::format("{}/p{}", folder.path, partition);
  auto names = disk.List(path);
  if (!names) return Fail(names.error().message);
  for (const std::string& name : *names) {
    const std::string file = path + "/" + name;
    uint64_t sequence = 0;
    if (ParseSegmentName(name, sequence)) {
      auto segment = ReadSegmentFacts(disk, file, partition, sequence);
      if (!segment) return Fail(segment.error().message);
      if (*segment) facts.segments.push_back(std::move(**segment));
    } else if (IsCursorName(name)) {
      auto cursor = ReadCursor(disk, file);
      if (!cursor) {
        auto still = disk.List(path);
        if (still && !IsIn(*still, name)) continue;
        return Fail(cursor.error().message);
      }
      if (*cursor && (*cursor)->newer) return Fail(file + " was written by a newer version");
      facts.cursors.push_back({file, std::nullopt});
      if (*cursor) facts.cursors.back().state = std::move((*cursor)->state);
    } else {
      facts.foreign.push_back(file);
    }
  }
  return facts;
}

}  // namespace tributary
