#include "agent/log/disk_reader.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr uint64_t kLoadBytes = 256 << 10;
constexpr nanoseconds kRetry = seconds(1);
// A segment that cannot be read for so long holds up the others no longer.
constexpr uint32_t kFailuresMax = 300;

}  // namespace

DiskReader::DiskReader(DiskLog& log, LogPosition from, std::function<void()> progress)
    : log_(log), from_(from), progress_(std::move(progress)), retry_timer_(log.environment().loop) {
  sources_.resize(log.partitions().size());
  for (size_t i = 0; i < sources_.size(); i++) sources_[i].partition = log.partitions()[i];
}

DiskReader::Found DiskReader::Peek(LogPosition limit, Head& head) {
  next_ = nullptr;
  bool waiting = false;
  for (Source& source : sources_) {
    const Found found = Advance(source, limit);
    waiting |= found == Found::kWaiting;
    if (found != Found::kRecord) continue;
    if (next_ == nullptr || source.head->position < next_->head->position) next_ = &source;
  }
  // One that is being waited for may have an earlier record.
  if (waiting) return Found::kWaiting;
  if (next_ == nullptr) return Found::kNone;
  head = *next_->head;
  return Found::kRecord;
}

void DiskReader::Pop() {
  CHECK(next_ != nullptr && next_->head);
  from_ = next_->head->position + 1;
  next_->head.reset();
  next_ = nullptr;
}

const Segment* DiskReader::CurrentSegment(const Source& source) const {
  const auto& segments = log_.segments(source.partition);
  auto it =
      std::lower_bound(segments.begin(), segments.end(), source.age(),
                       [](const Segment& segment, const auto& age) { return segment.age() < age; });
  return it != segments.end() && it->age() == source.age() ? &*it : nullptr;
}

const Segment* DiskReader::NextSegment(const Source& source) const {
  for (const Segment& segment : log_.segments(source.partition)) {
    if (segment.age() > source.age() && segment.summary.last >= from_) return &segment;
  }
  return nullptr;
}

void DiskReader::Begin(Source& source, const Segment& segment, bool from_start) {
  source.sequence = segment.header.sequence;
  source.epoch = segment.header.epoch;
  source.first = segment.summary.first;
  source.file.reset();
  source.head.reset();
  source.groups.clear();
  source.loading = false;
  source.failed = false;
  source.failures = 0;
  source.load++;
  uint64_t offset = SegmentHeader::kBytes;
  source.from_start = true;
  if (!from_start) {
    // The groups that are defined before are alive, as a rule.
    auto after = std::upper_bound(
        segment.index.begin(), segment.index.end(), from_,
        [](LogPosition position, const auto& entry) { return position < entry.first; });
    if (after != segment.index.begin()) {
      offset = std::prev(after)->second;
      source.from_start = false;
    }
  }
  source.stream = RecordStream(offset);
}

DiskReader::Found DiskReader::Advance(Source& source, LogPosition limit) {
  while (true) {
    const Segment* segment = CurrentSegment(source);
    // What is dropped counts as lost, whether or not some of it was fetched.
    if (segment == nullptr) source.head.reset();
    if (source.head) {
      return source.head->position < limit ? Found::kRecord : Found::kNone;
    }
    Record record;
    if (segment != nullptr && source.stream.Next(record)) {
      Take(source, record);
      continue;
    }
    if (segment != nullptr && source.stream.end() < segment->bytes) {
      if (!source.loading) Load(source, *segment);
      return Found::kWaiting;
    }
    const Segment* next = NextSegment(source);
    if (next == nullptr || next->summary.first >= limit) return Found::kNone;
    Begin(source, *next, false);
  }
}

void DiskReader::Load(Source& source, const Segment& segment) {
  source.loading = true;
  struct Loading {
    std::shared_ptr<File> file;
    Result<std::string> bytes;
  };
  auto loading = std::make_shared<Loading>();
  loading->file = source.file;
  const uint64_t offset = source.stream.end();
  const uint64_t size = std::min(kLoadBytes, segment.bytes - offset);
  log_.environment().io.Run(
      [loading, offset, size, path = segment.path, &disk = log_.environment().disk] {
        if (loading->file == nullptr) {
          auto file = disk.Open(path, FileMode::kRead);
          if (!file) {
            loading->bytes = Fail(file.error().message);
            return;
          }
          loading->file = std::move(*file);
        }
        std::string bytes(size, '\0');
        auto read = loading->file->ReadAt(offset, bytes.data(), bytes.size());
        if (!read) {
          loading->bytes = Fail(read.error().message);
        } else if (*read < size) {
          loading->bytes = Fail(path + " is shorter than it was");
        } else {
          loading->bytes = std::move(bytes);
        }
      },
      [self = self_, loading, &loaded = source, load = source.load] {
        DiskReader* reader = *self;
        if (reader == nullptr || loaded.load != load) return;
        loaded.file = loading->file;
        reader->Loaded(loaded, loading->bytes);
      });
}

void DiskReader::Loaded(Source& source, const Result<std::string>& bytes) {
  if (!bytes) return LoadFailed(source, bytes.error().message);
  source.loading = false;
  source.failures = 0;
  const Segment* segment = CurrentSegment(source);
  const bool at_end = segment == nullptr ||
                      (segment->closed && source.stream.end() + bytes->size() >= segment->bytes);
  source.stream.Push(*bytes, at_end);
  progress_();
}

void DiskReader::LoadFailed(Source& source, const std::string& error) {
  source.file.reset();
  source.failed = true;
  // One that was dropped meanwhile is not missed.
  if (const Segment* segment = CurrentSegment(source); segment != nullptr) {
    log_.NoteReadFailure(error);
    if (++source.failures == kFailuresMax) {
      log_.environment().logger.Error(
          "given up on a segment of the sample log: what is unsent in it is lost",
          {{"file", segment->path}, {"err", error}});
      source.failures = 0;
      source.stream = RecordStream(segment->bytes);
    }
  }
  if (!retry_timer_.active()) retry_timer_.SetAfter(kRetry, [this] { Retry(); });
}

void DiskReader::Retry() {
  for (Source& source : sources_) {
    if (std::exchange(source.failed, false)) source.loading = false;
  }
  progress_();
}

void DiskReader::Take(Source& source, const Record& record) {
  switch (record.type) {
    case RecordType::kDefinition:
      return Define(source, record.payload);
    case RecordType::kMetadata:
    case RecordType::kStarts:
      return Describe(source, record);
    case RecordType::kSamples:
      return TakeSamples(source, record.payload);
    case RecordType::kCommit:
    case RecordType::kFooter:
      return;
  }
}

void DiskReader::Define(Source& source, std::string_view payload) {
  auto record = DecodeDefinition(payload);
  if (!record) return;
  Group& group = source.groups[record->group];
  group.definition = log_.registry().Find(source.partition, source.epoch, record->group);
  if (group.definition != nullptr) return;
  // Generations of other processes are none of this one's.
  const bool own = source.epoch == log_.epoch();
  const uint64_t generation = own ? record->generation : source.epoch << 32 | record->generation;
  auto definition = GroupDefinition::FromCompressed(record->target_key, generation, record->series,
                                                    record->compressed);
  if (!definition) return;
  group.definition = std::move(*definition);
  log_.registry().Add(source.partition, source.epoch, record->group, group.definition);
}

void DiskReader::Describe(Source& source, const Record& record) {
  std::string_view payload = record.payload;
  auto number = DecodeGroup(payload);
  if (!number) return;
  auto it = source.groups.find(*number);
  if (it == source.groups.end() || it->second.definition == nullptr) return;
  const uint32_t series = it->second.definition->series();
  if (record.type == RecordType::kMetadata) {
    if (auto metadata = DecodeMetadata(payload, series, log_.metadata())) {
      it->second.metadata = std::move(*metadata);
    }
  } else if (auto starts = DecodeStarts(payload, series)) {
    it->second.starts = std::move(*starts);
  }
}

void DiskReader::TakeSamples(Source& source, std::string_view payload) {
  auto head = DecodeSamplesHead(payload);
  if (!head || head->position < from_) return;
  auto it = source.groups.find(head->group);
  if (it == source.groups.end() && !source.from_start) {
    it = source.groups.try_emplace(head->group).first;
    it->second.definition = log_.registry().Find(source.partition, source.epoch, head->group);
  }
  const bool known = it != source.groups.end() && it->second.definition != nullptr;
  const bool lacks = known && ((head->has_metadata && it->second.metadata == nullptr) ||
                               (head->has_starts && it->second.starts == nullptr));
  if ((!known || lacks) && !source.from_start) {
    // What it needs stands before the place where reading began.
    const Segment* segment = CurrentSegment(source);
    if (segment != nullptr) Begin(source, *segment, true);
    return;
  }
  if (!known) return;  // its definition is damaged
  auto samples = std::make_shared<GroupSamples>();
  samples->group = it->second.definition;
  if (!DecodeSamples(payload, samples->group->series(), *samples)) return;
  if (head->has_metadata) samples->metadata = it->second.metadata;
  if (head->has_starts) samples->starts = it->second.starts;
  source.head = {source.partition, head->position, source.epoch != log_.epoch(),
                 std::move(samples)};
}

}  // namespace tributary
