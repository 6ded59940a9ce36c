#include "agent/log/partition_writer.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr uint64_t kIndexBytes = 1 << 20;
// Definitions are written again in each segment: that may cost so much of it.
constexpr uint64_t kSegmentsPerDefinitions = 8;

template <typename T>
bool Same(const std::weak_ptr<T>& known, const std::shared_ptr<T>& now) {
  return !known.owner_before(now) && !now.owner_before(known);
}

}  // namespace

void PartitionWrite::Run(Disk& disk) {
  if (closing != nullptr) {
    // Without a footer the segment is read through when the log is next opened.
    Status closed = closing->WriteAt(closing_at, footer);
    if (!closed) static_cast<void>(closing->Truncate(closing_at));
    if (sync) static_cast<void>(closing->Sync());
  }
  if (!create.empty()) {
    auto made = disk.Open(create, FileMode::kCreate);
    if (!made) {
      status = Fail(made.error().message);
      return;
    }
    file = std::move(*made);
  }
  status = file->WriteAt(offset, bytes);
  if (status && sync) status = file->Sync();
  if (status && sync && !create.empty()) status = disk.SyncDirectory(folder);
  if (status) return;
  if (create.empty()) {
    static_cast<void>(file->Truncate(offset));
  } else {
    static_cast<void>(disk.Remove(create));
  }
}

PartitionWriter::PartitionWriter(std::string folder, uint32_t partition, uint64_t epoch,
                                 uint64_t segment_bytes, RecoveredPartition&& recovered,
                                 GroupRegistry& registry)
    : folder_(std::move(folder)),
      partition_(partition),
      epoch_(epoch),
      segment_bytes_(segment_bytes),
      registry_(registry),
      segments_(std::move(recovered.segments)),
      next_sequence_(recovered.next_sequence) {}

void PartitionWriter::Begin(const SampleCounts& before, TimestampMs wall_ms) {
  next_ = std::make_shared<PartitionWrite>();
  next_->partition = partition_;
  next_->folder = folder_;
  const uint64_t limit = std::max(segment_bytes_, kSegmentsPerDefinitions * definition_bytes_);
  if (file_ != nullptr && !roll_ && segments_.back().bytes < limit) {
    after_ = segments_.back();
    next_->file = file_;
    next_->offset = after_.bytes;
    return;
  }
  if (file_ != nullptr) {
    Segment& full = segments_.back();
    next_->closing = std::move(file_);
    next_->closing_at = full.bytes;
    next_->footer = EncodeFooter({full.summary, full.bytes});
    full.closed = true;
    file_ = nullptr;
  }
  roll_ = false;
  defined_.clear();
  definition_bytes_ = 0;
  begun_ms_ = wall_ms;
  after_ = {};
  after_.header = {partition_, next_sequence_, epoch_, before};
  after_.summary.end = before;
  after_.path = folder_ + "/" + SegmentName(next_sequence_);
  next_sequence_++;
  next_->create = after_.path;
  next_->bytes = EncodeSegmentHeader(after_.header);
}

// Before the group's first samples in the segment, and when something of it is not as it was.
void PartitionWriter::Describe(const GroupSamples& samples) {
  const auto [it, is_new] = defined_.try_emplace(samples.group->id());
  Written& written = it->second;
  std::string& out = next_->bytes;
  const size_t begin = out.size();
  if (is_new) {
    AppendDefinition(*samples.group, out);
    registry_.Add(partition_, epoch_, samples.group->id(), samples.group);
  }
  if (samples.metadata != nullptr && !Same(written.metadata, samples.metadata)) {
    AppendMetadata(samples.group->id(), *samples.metadata, samples.group->series(), out);
    written.metadata = samples.metadata;
  }
  if (samples.starts != nullptr && !Same(written.starts, samples.starts)) {
    AppendStarts(samples.group->id(), *samples.starts, out);
    written.starts = samples.starts;
  }
  definition_bytes_ += out.size() - begin;
}

void PartitionWriter::Add(const CommitView& commit) {
  if (next_ == nullptr) Begin(commit.before, commit.mark.wall_ms);
  std::string& out = next_->bytes;
  const uint64_t begin = next_->offset + out.size();
  const uint64_t indexed = after_.index.empty() ? 0 : after_.index.back().second;
  if (begin - indexed >= kIndexBytes) {
    after_.index.emplace_back(commit.items.front().position, begin);
  }
  SegmentSummary& summary = after_.summary;
  for (const CommitView::Item& item : commit.items) {
    const GroupSamples& samples = **item.samples;
    Describe(samples);
    AppendSamples(item.position, samples, out);
    if (summary.first == 0) summary.first = item.position;
    summary.last = item.position;
    summary.records++;
  }
  AppendCommit(commit.mark, out);
  summary.last_ms = commit.mark.wall_ms;
  summary.end = commit.mark.end;
}

std::shared_ptr<PartitionWrite> PartitionWriter::Take(bool sync) {
  if (next_ == nullptr) return nullptr;
  next_->sync = sync;
  return std::exchange(next_, nullptr);
}

void PartitionWriter::Finish(const PartitionWrite& write) {
  if (!write.status) {
    if (write.create.empty()) segments_.back().closed = true;
    file_ = nullptr;
    return;
  }
  after_.bytes = write.offset + write.bytes.size();
  after_.file_bytes = after_.bytes;
  file_ = write.file;
  if (write.create.empty()) {
    segments_.back() = std::move(after_);
  } else {
    segments_.push_back(std::move(after_));
  }
}

}  // namespace tributary
