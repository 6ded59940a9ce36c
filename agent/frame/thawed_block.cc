#include "agent/frame/thawed_block.h"

#include <array>

#include "agent/frame/frame_fit.h"
#include "common/base/assert.h"
#include "common/base/varint.h"
#include "common/wire/protobuf_writer.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

using protobuf::AppendDoubleField;
using protobuf::AppendTag;
using protobuf::AppendVarint;
using protobuf::AppendVarintField;
using protobuf::VarintSize;
using protobuf::WireType;

constexpr uint32_t kSeriesLabels = 1;  // labels_refs in 2.0
constexpr uint32_t kSeriesSamples = 2;
constexpr uint32_t kSampleValue = 1;
constexpr uint32_t kSampleTimestamp = 2;
constexpr char kLabelsTag = kSeriesLabels << 3 | 2;

// Takes a field of bytes off the front.
std::string_view TakeBytesField(std::string_view& in) {
  uint64_t size = 0;
  CHECK(!in.empty());
  in.remove_prefix(1);
  CHECK(TakeVarint(in, size) && size <= in.size());
  const std::string_view bytes = in.substr(0, size);
  in.remove_prefix(size);
  return bytes;
}

}  // namespace

ThawedBlock::ThawedBlock(const FrameBlock& block) : block_(block) {
  block.Inflate(raw_);
  const BlockOrigin& origin = block.origin();
  entries_.resize(origin.end - origin.begin);
  tag_ = raw_.front();
  std::string_view rest = raw_;
  ForEachBit(origin.members, [&](uint32_t i) {
    std::string_view series = TakeBytesField(rest);
    const std::string_view all = series;
    while (series.front() == kLabelsTag) TakeBytesField(series);
    entries_[i].labels = all.substr(0, all.size() - series.size());
    entries_[i].start = TakeBytesField(series).substr(1 + kTimeFromValue + kTimeBytes);
    entries_[i].tail = series;
  });
  CHECK(rest.empty());
}

void ThawedBlock::Write(const GroupSamples& samples, std::string& raw) const {
  const BlockOrigin& origin = block_.origin();
  auto write_own = [&](bool earlier) {
    for (const OwnSample& own : samples.own) {
      if (own.index < origin.begin || own.index >= origin.end ||
          !HasBit(origin.members, own.index - origin.begin) ||
          (own.timestamp < samples.timestamp) != earlier) {
        continue;
      }
      WriteSample(entries_[own.index - origin.begin], own.value, own.timestamp, raw);
    }
  };
  write_own(true);
  std::array<double, kBlockEntriesMax> scratch;
  const std::span<const double> values = ScrapedValues(block_, samples, scratch);
  size_t value = 0;
  ForEachBit(BitsOf(samples.present, origin.begin, origin.end), [&](uint32_t i) {
    if (!HasBit(origin.members, i)) return;
    WriteSample(entries_[i], values[value++], samples.timestamp, raw);
  });
  write_own(false);
}

void ThawedBlock::WriteSample(const Entry& entry, double value, TimestampMs timestamp,
                              std::string& raw) const {
  const std::string_view start = IsStaleNan(value) ? std::string_view() : entry.start;
  const auto time = static_cast<uint64_t>(timestamp);
  // The general path leaves out what is zero.
  const size_t sample = (value == 0 ? 0 : 1 + kValueBytes) +
                        (timestamp == 0 ? 0 : 1 + VarintSize(time)) + start.size();
  raw += tag_;
  AppendVarint(entry.labels.size() + 1 + VarintSize(sample) + sample + entry.tail.size(), raw);
  raw += entry.labels;
  AppendTag(kSeriesSamples, WireType::kBytes, raw);
  AppendVarint(sample, raw);
  if (value != 0) AppendDoubleField(kSampleValue, value, raw);
  if (timestamp != 0) AppendVarintField(kSampleTimestamp, time, raw);
  raw += start;
  raw += entry.tail;
}

std::string ThawedBlock::Encoded() const {
  CHECK(!block_.origin().is_v2());
  std::string encoded;
  for (const Entry& entry : entries_) {
    PutVarint(encoded, entry.labels.size());
    encoded += entry.labels;
  }
  return encoded;
}

std::string ThawedBlock::Encoded(const FrameSymbols& symbols) const {
  CHECK(block_.origin().table == symbols.id());
  std::string buffer, encoded;
  const std::vector<std::string_view> texts = symbols.Texts(buffer);
  for (const Entry& entry : entries_) {
    std::vector<Label> labels;
    std::string_view field = entry.labels;
    std::string_view refs = field.empty() ? field : TakeBytesField(field);
    while (!refs.empty()) {
      uint64_t name = 0, value = 0;
      CHECK(TakeVarint(refs, name) && TakeVarint(refs, value));
      CHECK(name < texts.size() && value < texts.size());
      labels.push_back({std::string(texts[name]), std::string(texts[value])});
    }
    const std::string bytes = EncodeLabels(Labels(std::move(labels)));
    PutVarint(encoded, bytes.size());
    encoded += bytes;
  }
  return encoded;
}

}  // namespace tributary
