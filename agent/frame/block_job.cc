#include "agent/frame/block_job.h"

#include <utility>

#include "common/base/assert.h"
#include "common/base/varint.h"
#include "common/wire/protobuf_writer.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

using protobuf::AppendBytesField;
using protobuf::AppendTag;
using protobuf::AppendVarint;
using protobuf::AppendVarintField;
using protobuf::VarintSize;
using protobuf::WireType;

// Field numbers of prompb and of io.prometheus.write.v2.
constexpr uint32_t kRequestTimeseriesV1 = 1;
constexpr uint32_t kRequestTimeseriesV2 = 5;
constexpr uint32_t kSeriesLabelsRefs = 1;
constexpr uint32_t kSeriesSamples = 2;
constexpr uint32_t kSeriesMetadata = 5;
constexpr uint32_t kSampleValue = 1;
constexpr uint32_t kSampleStart = 3;
constexpr uint32_t kMetadataType = 1;
constexpr uint32_t kMetadataHelpRef = 3;
constexpr uint32_t kMetadataUnitRef = 4;

// The tag and the size of a field in front of `size` bytes.
size_t PrefixSize(size_t size) { return 1 + VarintSize(size); }

// Value and time, with their tags: both holes, and what stands before each.
constexpr size_t kSampleBytes = 1 + kTimeFromValue + kTimeBytes;

// Opens a sample up to its value.
void OpenSample(size_t size, std::string& out) {
  AppendTag(kSeriesSamples, WireType::kBytes, out);
  AppendVarint(size, out);
  AppendTag(kSampleValue, WireType::kFixed64, out);
}

}  // namespace

BlockJob::BlockJob(HoleCompressor& compressor, BlockSource source, SymbolWriter* symbols)
    : compressor_(compressor),
      source_(std::move(source)),
      symbols_(symbols),
      rest_(source_.encoded) {
  CHECK(source_.end - source_.begin <= kBlockEntriesMax);
  compressor_.Begin(source_.times);
}

bool BlockJob::Advance(uint32_t series_max) {
  for (; series_max > 0 && !failed_ && !rest_.empty(); next_++, series_max--) {
    uint64_t size = 0;
    CHECK(TakeVarint(rest_, size) && size <= rest_.size());
    const std::string_view labels = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (labels.empty() || !HasBit(source_.wanted, next_)) continue;
    SetBit(members_, next_);
    failed_ = !Add(source_.begin + next_, labels);
  }
  return failed_ || rest_.empty();
}

BlockRef BlockJob::Take() {
  CHECK(failed_ || rest_.empty());
  if (failed_ || IsEmpty(members_)) return nullptr;
  CHECK(next_ == source_.end - source_.begin);
  BlockOrigin origin;
  origin.begin = source_.begin;
  origin.end = source_.end;
  origin.members = members_;
  origin.times = source_.times;
  if (symbols_ != nullptr) {
    origin.table = symbols_->table();
    origin.symbols = symbols_->count();
    origin.metadata = std::move(source_.metadata);
    if (has_starts_) origin.starts = std::move(source_.starts);
  }
  return std::make_shared<const FrameBlock>(std::move(origin), compressor_.Finish());
}

bool BlockJob::Add(uint32_t series, std::string_view labels) {
  head_.clear();
  tail_.clear();
  return symbols_ == nullptr ? AddV1(labels) : AddV2(series, labels);
}

bool BlockJob::AddV1(std::string_view labels) {
  AppendTag(kRequestTimeseriesV1, WireType::kBytes, head_);
  AppendVarint(labels.size() + PrefixSize(kSampleBytes) + kSampleBytes, head_);
  const size_t labels_at = head_.size();
  head_ += labels;
  OpenSample(kSampleBytes, head_);
  // The first label is the metric's name, but for labels with capitals.
  std::string_view rest = labels, name, value;
  CHECK(TakeEncodedLabel(rest, name, value));
  return compressor_.Add(head_, labels_at + labels.size() - rest.size(), tail_);
}

bool BlockJob::AddV2(uint32_t series, std::string_view labels) {
  refs_.clear();
  size_t first_label = 0;
  std::string_view name, value;
  while (TakeEncodedLabel(labels, name, value)) {
    AppendVarint(symbols_->Number(name), refs_);
    AppendVarint(symbols_->Number(value), refs_);
    if (first_label == 0) first_label = refs_.size();
  }
  size_t sample = kSampleBytes;
  const TimestampMs start = source_.starts == nullptr ? 0 : (*source_.starts)[series];
  if (start != 0) {
    has_starts_ = true;
    AppendVarintField(kSampleStart, static_cast<uint64_t>(start), tail_);
    sample += tail_.size();
  }
  metadata_.clear();
  const FamilyMetadata* family =
      source_.metadata == nullptr ? nullptr : source_.metadata->Of(series);
  auto append = [&](uint32_t field, uint64_t number) {
    if (number != 0) AppendVarintField(field, number, metadata_);
  };
  if (family != nullptr) {
    append(kMetadataType, static_cast<uint64_t>(family->type));
    append(kMetadataHelpRef, symbols_->Number(family->help));
    append(kMetadataUnitRef, symbols_->Number(family->unit));
    if (!metadata_.empty()) AppendBytesField(kSeriesMetadata, metadata_, tail_);
  }
  size_t size = PrefixSize(refs_.size()) + refs_.size() + PrefixSize(sample) + sample;
  if (!metadata_.empty()) size += PrefixSize(metadata_.size()) + metadata_.size();
  AppendTag(kRequestTimeseriesV2, WireType::kBytes, head_);
  AppendVarint(size, head_);
  const size_t refs_at = head_.size() + PrefixSize(refs_.size());
  AppendBytesField(kSeriesLabelsRefs, refs_, head_);
  OpenSample(sample, head_);
  return compressor_.Add(head_, refs_at + first_label, tail_);
}

}  // namespace tributary
