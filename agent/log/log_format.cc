#include "agent/log/log_format.h"

#include <isa-l/crc.h>

#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/sized_text.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "TRIBSEG\n";
constexpr uint32_t kTrailerMagic = 0x444e4554;  // "TEND"

// Of the samples record.
constexpr uint8_t kAllPresent = 1, kHasOwn = 2, kHasHistograms = 4, kHasExemplars = 8,
                  kHasMetadata = 16, kHasStarts = 32;

template <typename T>
void PutFixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

template <typename T>
bool TakeFixed(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}

// Times may be any; those near each other, as they are, take few bytes as differences.
uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }
// Wraps around, and back.
void PutTime(std::string& out, TimestampMs time, TimestampMs base) {
  PutVarint(
      out, ZigZag(static_cast<int64_t>(static_cast<uint64_t>(time) - static_cast<uint64_t>(base))));
}
bool TakeTime(std::string_view& in, TimestampMs& time, TimestampMs base) {
  uint64_t difference = 0;
  if (!TakeVarint(in, difference)) return false;
  time = static_cast<TimestampMs>(static_cast<uint64_t>(base) +
                                  static_cast<uint64_t>(UnZigZag(difference)));
  return true;
}

bool TakeIndex(std::string_view& in, uint32_t series, uint32_t& index) {
  uint64_t value = 0;
  if (!TakeVarint(in, value) || value >= series) return false;
  index = static_cast<uint32_t>(value);
  return true;
}

// Of things that take at least `bytes` each: so that a damaged number makes nobody allocate.
bool TakeCount(std::string_view& in, size_t bytes, uint64_t& count) {
  return TakeVarint(in, count) && count <= in.size() / bytes;
}

void PutCounts(std::string& out, const SampleCounts& counts) {
  PutFixed(out, counts.samples);
  PutFixed(out, counts.histograms);
  PutFixed(out, counts.exemplars);
}

bool TakeCounts(std::string_view& in, SampleCounts& counts) {
  return TakeFixed(in, counts.samples) && TakeFixed(in, counts.histograms) &&
         TakeFixed(in, counts.exemplars);
}

tl::unexpected<Error> Malformed(const char* what) {
  return Fail(std::string("a record of ") + what + " is malformed");
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  // The library counts in int.
  constexpr size_t kStep = 1 << 30;
  while (!bytes.empty()) {
    const std::string_view step = bytes.substr(0, kStep);
    crc = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(step.data())),
                      static_cast<int>(step.size()), crc);
    bytes.remove_prefix(step.size());
  }
  return ~crc;
}

RecordWriter::RecordWriter(std::string& out, RecordType type) : out_(out), begin_(out.size()) {
  out_.append(kRecordHeaderBytes - 1, '\0');
  out_ += static_cast<char>(type);
}

RecordWriter::~RecordWriter() {
  const std::string_view covered = std::string_view(out_).substr(begin_ + kRecordHeaderBytes - 1);
  const auto size = static_cast<uint32_t>(covered.size() - 1);
  const uint32_t crc = Crc32c(covered);
  memcpy(out_.data() + begin_, &size, sizeof(size));
  memcpy(out_.data() + begin_ + sizeof(size), &crc, sizeof(crc));
}

RecordOutcome ReadRecord(std::string_view bytes, Record& record) {
  std::string_view in = bytes;
  uint32_t size = 0, crc = 0;
  if (!TakeFixed(in, size) || !TakeFixed(in, crc) || in.empty()) return RecordOutcome::kCut;
  const auto type = static_cast<uint8_t>(in[0]);
  if (size > kRecordBytesMax || type < static_cast<uint8_t>(RecordType::kDefinition) ||
      type > static_cast<uint8_t>(RecordType::kFooter)) {
    return RecordOutcome::kDamaged;
  }
  if (in.size() < size_t{1} + size) return RecordOutcome::kCut;
  const std::string_view covered = in.substr(0, size_t{1} + size);
  if (Crc32c(covered) != crc) return RecordOutcome::kDamaged;
  record = {static_cast<RecordType>(type), covered.substr(1), kRecordHeaderBytes + size};
  return RecordOutcome::kRead;
}

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kMagic);
  PutFixed(out, kLogVersion);
  PutFixed(out, header.partition);
  PutFixed(out, header.sequence);
  PutFixed(out, header.epoch);
  PutCounts(out, header.before);
  PutFixed(out, uint32_t{0});
  PutFixed(out, Crc32c(out));
  DCHECK(out.size() == SegmentHeader::kBytes);
  return out;
}

HeaderOutcome DecodeSegmentHeader(std::string_view bytes, SegmentHeader& header) {
  if (bytes.size() < SegmentHeader::kBytes) {
    // The process or the power may have gone while it was written.
    const std::string_view magic = kMagic.substr(0, bytes.size());
    return bytes.substr(0, magic.size()) == magic ? HeaderOutcome::kDamaged
                                                  : HeaderOutcome::kForeign;
  }
  bytes = bytes.substr(0, SegmentHeader::kBytes);
  std::string_view in = bytes;
  const bool magic = in.substr(0, kMagic.size()) == kMagic;
  in.remove_prefix(kMagic.size());
  uint32_t version = 0, reserved = 0, crc = 0;
  TakeFixed(in, version);
  TakeFixed(in, header.partition);
  TakeFixed(in, header.sequence);
  TakeFixed(in, header.epoch);
  TakeCounts(in, header.before);
  TakeFixed(in, reserved);
  TakeFixed(in, crc);
  const bool whole = Crc32c(bytes.substr(0, bytes.size() - sizeof(crc))) == crc;
  // A newer one may have its checksum elsewhere, but begins alike.
  if (magic && version > kLogVersion && version < 1000) return HeaderOutcome::kNewer;
  if (magic && whole) return HeaderOutcome::kRead;
  return magic || whole ? HeaderOutcome::kDamaged : HeaderOutcome::kForeign;
}

std::string EncodeFooter(const SegmentFooter& footer) {
  std::string out;
  {
    RecordWriter record(out, RecordType::kFooter);
    const SegmentSummary& summary = footer.summary;
    PutFixed(out, summary.first);
    PutFixed(out, summary.last);
    PutFixed(out, summary.last_ms);
    PutFixed(out, summary.records);
    PutCounts(out, summary.end);
  }
  PutFixed(out, footer.offset);
  PutFixed(out, kTrailerMagic);
  DCHECK(out.size() == kFooterBytes);
  return out;
}

std::optional<SegmentFooter> DecodeFooter(std::string_view tail, uint64_t file_bytes) {
  if (tail.size() < kFooterBytes) return std::nullopt;
  tail = tail.substr(tail.size() - kFooterBytes);
  Record record;
  if (ReadRecord(tail, record) != RecordOutcome::kRead || record.type != RecordType::kFooter ||
      record.bytes != kFooterBytes - kTrailerBytes) {
    return std::nullopt;
  }
  SegmentFooter footer;
  SegmentSummary& summary = footer.summary;
  std::string_view in = record.payload;
  TakeFixed(in, summary.first);
  TakeFixed(in, summary.last);
  TakeFixed(in, summary.last_ms);
  TakeFixed(in, summary.records);
  TakeCounts(in, summary.end);
  std::string_view trailer = tail.substr(record.bytes);
  uint32_t magic = 0;
  TakeFixed(trailer, footer.offset);
  TakeFixed(trailer, magic);
  if (magic != kTrailerMagic || footer.offset + kFooterBytes != file_bytes) return std::nullopt;
  return footer;
}

void AppendCommit(const CommitMark& mark, std::string& out) {
  RecordWriter record(out, RecordType::kCommit);
  PutFixed(out, mark.target_key);
  PutFixed(out, mark.wall_ms);
  PutCounts(out, mark.end);
}

Result<CommitMark> DecodeCommit(std::string_view payload) {
  CommitMark mark;
  if (!TakeFixed(payload, mark.target_key) || !TakeFixed(payload, mark.wall_ms) ||
      !TakeCounts(payload, mark.end)) {
    return Malformed("a commit");
  }
  return mark;
}

void AppendDefinition(const GroupDefinition& group, std::string& out) {
  RecordWriter record(out, RecordType::kDefinition);
  PutVarint(out, group.id());
  PutFixed(out, group.target_key());
  PutVarint(out, group.generation());
  PutVarint(out, group.series());
  out += group.compressed();
}

Result<DefinitionRecord> DecodeDefinition(std::string_view payload) {
  DefinitionRecord record;
  uint64_t series = 0;
  if (!TakeVarint(payload, record.group) || !TakeFixed(payload, record.target_key) ||
      !TakeVarint(payload, record.generation) || !TakeVarint(payload, series) || series == 0 ||
      series > kGroupSeriesMax) {
    return Malformed("a definition");
  }
  record.series = static_cast<uint32_t>(series);
  record.compressed = payload;
  return record;
}

Result<uint64_t> DecodeGroup(std::string_view& payload) {
  uint64_t group = 0;
  if (!TakeVarint(payload, group)) return Malformed("a group");
  return group;
}

void AppendMetadata(uint64_t group, const SeriesMetadata& metadata, uint32_t series,
                    std::string& out) {
  RecordWriter record(out, RecordType::kMetadata);
  PutVarint(out, group);
  std::vector<const FamilyMetadata*> families;
  std::string indexes;
  for (uint32_t i = 0; i < series; i++) {
    const FamilyMetadata* family = metadata.Of(i);
    size_t index = 0;
    if (family != nullptr) {
      // Series of a family stand together, as a rule.
      while (index < families.size() && families[families.size() - 1 - index] != family) index++;
      index = families.size() - index;
      if (index == 0) {
        families.push_back(family);
        index = families.size();
      }
    }
    PutVarint(indexes, index);
  }
  PutVarint(out, families.size());
  for (const FamilyMetadata* family : families) {
    PutText(out, family->family);
    PutVarint(out, static_cast<uint64_t>(family->type));
    PutText(out, family->help);
    PutText(out, family->unit);
  }
  out += indexes;
}

Result<std::shared_ptr<const SeriesMetadata>> DecodeMetadata(std::string_view rest, uint32_t series,
                                                             MetadataPool& pool) {
  uint64_t count = 0;
  if (!TakeCount(rest, 4, count) || count > series) return Malformed("metadata");
  std::vector<FamilyRef> families;
  for (uint64_t i = 0; i < count; i++) {
    std::string_view name, help, unit;
    uint64_t type = 0;
    if (!TakeText(rest, name) || !TakeVarint(rest, type) || !TakeText(rest, help) ||
        !TakeText(rest, unit) || type > static_cast<uint64_t>(MetricType::kStateset)) {
      return Malformed("metadata");
    }
    families.push_back(pool.Intern(
        {std::string(name), static_cast<MetricType>(type), std::string(help), std::string(unit)}));
  }
  std::vector<FamilyRef> of_series(series);
  for (FamilyRef& family : of_series) {
    uint64_t index = 0;
    if (!TakeVarint(rest, index) || index > count) return Malformed("metadata");
    if (index > 0) family = families[index - 1];
  }
  return std::make_shared<const SeriesMetadata>(of_series);
}

void AppendStarts(uint64_t group, const StartTimes& starts, std::string& out) {
  RecordWriter record(out, RecordType::kStarts);
  PutVarint(out, group);
  TimestampMs before = 0;
  for (TimestampMs start : starts) {
    PutTime(out, start, before);
    before = start;
  }
}

Result<std::shared_ptr<const StartTimes>> DecodeStarts(std::string_view rest, uint32_t series) {
  auto starts = std::make_shared<StartTimes>(series);
  TimestampMs before = 0;
  for (TimestampMs& start : *starts) {
    if (!TakeTime(rest, start, before)) return Malformed("start times");
    before = start;
  }
  return starts;
}

namespace {

void PutOwn(const GroupSamples& samples, std::string& out) {
  PutVarint(out, samples.own.size());
  TimestampMs before = samples.timestamp;
  for (const OwnSample& own : samples.own) {
    PutVarint(out, own.index);
    PutTime(out, own.timestamp, before);
    PutFixed(out, own.value);
    before = own.timestamp;
  }
}

bool TakeOwn(std::string_view& in, uint32_t series, GroupSamples& samples) {
  uint64_t count = 0;
  if (!TakeCount(in, 10, count)) return false;
  samples.own.resize(count);
  TimestampMs before = samples.timestamp;
  for (OwnSample& own : samples.own) {
    if (!TakeIndex(in, series, own.index) || !TakeTime(in, own.timestamp, before) ||
        !TakeFixed(in, own.value)) {
      return false;
    }
    before = own.timestamp;
  }
  return true;
}

void PutHistograms(const std::vector<HistogramSample>& histograms, TimestampMs base,
                   std::string& out) {
  PutVarint(out, histograms.size());
  for (const HistogramSample& sample : histograms) {
    PutVarint(out, sample.index);
    PutTime(out, sample.timestamp, base);
    PutTime(out, sample.start, 0);
    out += static_cast<char>(sample.custom_buckets);
    PutText(out, sample.encoded);
  }
}

bool TakeHistograms(std::string_view& in, uint32_t series, TimestampMs base,
                    std::vector<HistogramSample>& histograms) {
  uint64_t count = 0;
  if (!TakeCount(in, 5, count)) return false;
  histograms.resize(count);
  for (HistogramSample& sample : histograms) {
    std::string_view encoded;
    if (!TakeIndex(in, series, sample.index) || !TakeTime(in, sample.timestamp, base) ||
        !TakeTime(in, sample.start, 0) || in.empty()) {
      return false;
    }
    sample.custom_buckets = in[0] != 0;
    in.remove_prefix(1);
    if (!TakeText(in, encoded)) return false;
    sample.encoded = encoded;
  }
  return true;
}

void PutExemplars(const std::vector<ExemplarSample>& exemplars, TimestampMs base,
                  std::string& out) {
  PutVarint(out, exemplars.size());
  for (const ExemplarSample& sample : exemplars) {
    PutVarint(out, sample.index);
    PutTime(out, sample.timestamp, base);
    PutFixed(out, sample.value);
    PutText(out, sample.labels);
  }
}

bool TakeExemplars(std::string_view& in, uint32_t series, TimestampMs base,
                   std::vector<ExemplarSample>& exemplars) {
  uint64_t count = 0;
  if (!TakeCount(in, 11, count)) return false;
  exemplars.resize(count);
  for (ExemplarSample& sample : exemplars) {
    std::string_view labels;
    if (!TakeIndex(in, series, sample.index) || !TakeTime(in, sample.timestamp, base) ||
        !TakeFixed(in, sample.value) || !TakeText(in, labels)) {
      return false;
    }
    sample.labels = labels;
  }
  return true;
}

}  // namespace

void AppendSamples(LogPosition position, const GroupSamples& samples, std::string& out) {
  RecordWriter record(out, RecordType::kSamples);
  const IrregularSamples* irregular = samples.irregular.get();
  const bool all = samples.values.size() == samples.group->series();
  uint8_t flags = 0;
  if (all) flags |= kAllPresent;
  if (!samples.own.empty()) flags |= kHasOwn;
  if (irregular != nullptr && !irregular->histograms.empty()) flags |= kHasHistograms;
  if (irregular != nullptr && !irregular->exemplars.empty()) flags |= kHasExemplars;
  if (samples.metadata != nullptr) flags |= kHasMetadata;
  if (samples.starts != nullptr) flags |= kHasStarts;
  PutVarint(out, position);
  PutVarint(out, samples.group->id());
  out += static_cast<char>(flags);
  PutTime(out, samples.timestamp, 0);
  if (!all) {
    out.append(reinterpret_cast<const char*>(samples.present.data()), samples.present.size() * 8);
  }
  out.append(reinterpret_cast<const char*>(samples.values.data()), samples.values.size() * 8);
  if (flags & kHasOwn) PutOwn(samples, out);
  if (flags & kHasHistograms) PutHistograms(irregular->histograms, samples.timestamp, out);
  if (flags & kHasExemplars) PutExemplars(irregular->exemplars, samples.timestamp, out);
}

Result<SamplesHead> DecodeSamplesHead(std::string_view& payload) {
  SamplesHead head;
  if (!TakeVarint(payload, head.position) || !TakeVarint(payload, head.group) || payload.empty()) {
    return Malformed("samples");
  }
  // Left for DecodeSamples.
  const auto flags = static_cast<uint8_t>(payload[0]);
  head.has_metadata = (flags & kHasMetadata) != 0;
  head.has_starts = (flags & kHasStarts) != 0;
  return head;
}

Status DecodeSamples(std::string_view rest, uint32_t series, GroupSamples& samples) {
  if (rest.empty()) return Malformed("samples");
  const auto flags = static_cast<uint8_t>(rest[0]);
  rest.remove_prefix(1);
  if (!TakeTime(rest, samples.timestamp, 0)) return Malformed("samples");
  const size_t words = (series + 63) / 64;
  samples.present.assign(words, ~uint64_t{0});
  if (!(flags & kAllPresent)) {
    if (rest.size() < words * 8) return Malformed("samples");
    memcpy(samples.present.data(), rest.data(), words * 8);
    rest.remove_prefix(words * 8);
  }
  // Nothing stands beyond the last series.
  if (series % 64 != 0) samples.present.back() &= (uint64_t{1} << (series % 64)) - 1;
  size_t values = 0;
  for (uint64_t word : samples.present) values += static_cast<size_t>(std::popcount(word));
  if (rest.size() < values * 8) return Malformed("samples");
  samples.values.resize(values);
  if (values > 0) memcpy(samples.values.data(), rest.data(), values * 8);
  rest.remove_prefix(values * 8);
  if ((flags & kHasOwn) && !TakeOwn(rest, series, samples)) return Malformed("samples");
  if ((flags & (kHasHistograms | kHasExemplars)) == 0) return {};
  auto irregular = std::make_shared<IrregularSamples>();
  if ((flags & kHasHistograms) &&
      !TakeHistograms(rest, series, samples.timestamp, irregular->histograms)) {
    return Malformed("histograms");
  }
  if ((flags & kHasExemplars) &&
      !TakeExemplars(rest, series, samples.timestamp, irregular->exemplars)) {
    return Malformed("exemplars");
  }
  samples.irregular = std::move(irregular);
  return {};
}

}  // namespace tributary
