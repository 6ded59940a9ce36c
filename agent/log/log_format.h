// The bytes of the sample log: segments, records, footers (docs/log-format.md). Pure.
//
// Numbers are little-endian. A segment is a header, records, and, once it is closed, a footer
// record and a trailer that says where that begins. A record is [u32 size of the payload][u32
// CRC32C of what follows][u8 type][payload].
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/series/metadata_pool.h"
#include "agent/series/samples.h"
#include "common/base/status.h"

namespace tributary {

// Of a record: higher is later, over all partitions of a worker. The first is 1.
using LogPosition = uint64_t;

inline constexpr uint32_t kLogVersion = 1;
inline constexpr uint32_t kLogPartitions = 8;

enum class RecordType : uint8_t {
  kDefinition = 1,  // a group; before its first samples in a segment
  kMetadata = 2,    // what pages say of a group's series; for the samples that follow
  kStarts = 3,      // when counts of a group's series began; for the samples that follow
  kSamples = 4,     // one group's of one scrape
  kCommit = 5,      // the end of a scrape: what was not ended did not happen
  kFooter = 6,
};

inline constexpr size_t kRecordHeaderBytes = 9;
// A longer one is damage.
inline constexpr size_t kRecordBytesMax = 256 << 20;

// CRC-32C (Castagnoli), as in iSCSI (RFC 3720).
uint32_t Crc32c(std::string_view bytes);

// Writes a record in place: what is appended to `out` between the two is its payload.
class RecordWriter {
 public:
  RecordWriter(std::string& out, RecordType type);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

 private:
  std::string& out_;
  const size_t begin_;
};

struct Record {
  RecordType type{};
  std::string_view payload;
  size_t bytes = 0;  // on disk
};
enum class RecordOutcome : uint8_t {
  kRead,
  kCut,      // the bytes end within it
  kDamaged,  // what stands there is no record
};
RecordOutcome ReadRecord(std::string_view bytes, Record& record);

struct SegmentHeader {
  static constexpr size_t kBytes = 64;
  uint32_t partition = 0;
  uint64_t sequence = 0;  // of the segment in its partition
  uint64_t epoch = 0;     // of the process that wrote it: groups' numbers are unique in one
  SampleCounts before;    // in the partition, as long as it exists
};
std::string EncodeSegmentHeader(const SegmentHeader& header);
// An error says what it is instead, and what to do.
enum class HeaderOutcome : uint8_t { kRead, kForeign, kNewer, kDamaged };
HeaderOutcome DecodeSegmentHeader(std::string_view bytes, SegmentHeader& header);

// What is known of the records of a segment, or of its first part.
struct SegmentSummary {
  LogPosition first = 0, last = 0;  // 0: there are none
  TimestampMs last_ms = 0;          // the wall clock of the last commit
  uint64_t records = 0;             // of samples
  SampleCounts end;                 // in the partition up to here
};
struct SegmentFooter {
  SegmentSummary summary;
  uint64_t offset = 0;  // of the footer's record
};
inline constexpr size_t kTrailerBytes = 12;
// The record and the trailer.
std::string EncodeFooter(const SegmentFooter& footer);
// From the last bytes of a file of this size; none if it was not closed.
inline constexpr size_t kFooterBytes = kRecordHeaderBytes + 6 * 8 + 8 + kTrailerBytes;
std::optional<SegmentFooter> DecodeFooter(std::string_view tail, uint64_t file_bytes);

struct CommitMark {
  uint64_t target_key = 0;
  TimestampMs wall_ms = 0;
  SampleCounts end;  // in the partition up to and with this commit
};
void AppendCommit(const CommitMark& mark, std::string& out);
Result<CommitMark> DecodeCommit(std::string_view payload);

void AppendDefinition(const GroupDefinition& group, std::string& out);
struct DefinitionRecord {
  uint64_t group = 0;  // GroupDefinition::id() in the process that wrote it
  uint64_t target_key = 0;
  uint64_t generation = 0;
  uint32_t series = 0;
  std::string_view compressed;
};
Result<DefinitionRecord> DecodeDefinition(std::string_view payload);

// The group that these say something of comes first in the payload.
Result<uint64_t> DecodeGroup(std::string_view& payload);
void AppendMetadata(uint64_t group, const SeriesMetadata& metadata, uint32_t series,
                    std::string& out);
Result<std::shared_ptr<const SeriesMetadata>> DecodeMetadata(std::string_view rest, uint32_t series,
                                                             MetadataPool& pool);
void AppendStarts(uint64_t group, const StartTimes& starts, std::string& out);
Result<std::shared_ptr<const StartTimes>> DecodeStarts(std::string_view rest, uint32_t series);

void AppendSamples(LogPosition position, const GroupSamples& samples, std::string& out);
// What stands before the samples themselves.
struct SamplesHead {
  LogPosition position = 0;
  uint64_t group = 0;
  bool has_metadata = false, has_starts = false;
};
Result<SamplesHead> DecodeSamplesHead(std::string_view& payload);
// `rest`: what DecodeSamplesHead has left. Fills all but group, metadata and starts.
Status DecodeSamples(std::string_view rest, uint32_t series, GroupSamples& samples);

}  // namespace tributary
