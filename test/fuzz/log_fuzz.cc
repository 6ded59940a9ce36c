// Whatever lies in the folder of a sample log: it is opened, repaired and read to its end, or
// refused, within bounds; what cannot be read is counted; and the log can be used again.
//
// The input is a file, or several with kSeparator between them: cursors, the file that says what
// the folder is, and segments, told apart by how they begin. It is played three times: as it is;
// with all checksums made right, as if the writer had been wrong; and as what befalls a good log,
// of which then nothing may be missing that is not counted, to the sample.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/log/log_scan.h"
#include "agent/log/sample_log.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_work_queue.h"

namespace tributary {
namespace {

constexpr const char* kPath = "/log";
constexpr std::string_view kSeparator = "\n==== file ====\n";
constexpr size_t kPartsMax = 8;
constexpr size_t kReadersMax = 4;
constexpr uint64_t kTargetKey = 3;
// Positions that no log comes to: behind them they would begin again.
constexpr LogPosition kPositionsEnd = LogPosition{1} << 62;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

std::string Text(const SampleCounts& counts) {
  return fmt::format("{}+{}+{}", counts.samples, counts.histograms, counts.exemplars);
}

std::vector<std::string> Split(std::string_view input) {
  std::vector<std::string> parts;
  while (parts.size() + 1 < kPartsMax) {
    const size_t at = input.find(kSeparator);
    if (at == std::string_view::npos) break;
    parts.emplace_back(input.substr(0, at));
    input.remove_prefix(at + kSeparator.size());
  }
  parts.emplace_back(input);
  return parts;
}

bool IsCursor(const std::string& part) { return part.starts_with("TRIBPOS"); }
bool IsFormat(const std::string& part) { return part.starts_with("tributary"); }

uint32_t NumberAt(const std::string& bytes, size_t at) {
  uint32_t number = 0;
  memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

// A checksum at `at` of what begins at `begin`.
void Seal(std::string& bytes, size_t at, size_t begin, size_t size) {
  const uint32_t crc = Crc32c(std::string_view(bytes).substr(begin, size));
  memcpy(bytes.data() + at, &crc, sizeof(crc));
}

void MendCursor(std::string& bytes) {
  constexpr size_t kSlot = 8192, kHead = 16;
  for (size_t slot = 0; slot + kHead <= bytes.size(); slot += kSlot) {
    const uint64_t size = NumberAt(bytes, slot + 12);
    if (slot + kHead + size <= bytes.size()) Seal(bytes, slot + 8, slot + kHead, size);
  }
}

void MendSegment(std::string& bytes) {
  if (bytes.size() < SegmentHeader::kBytes) return;
  Seal(bytes, SegmentHeader::kBytes - 4, 0, SegmentHeader::kBytes - 4);
  size_t at = SegmentHeader::kBytes;
  while (at + kRecordHeaderBytes <= bytes.size()) {
    const uint64_t size = NumberAt(bytes, at);
    if (at + kRecordHeaderBytes + size > bytes.size()) return;
    Seal(bytes, at + 4, at + 8, size + 1);
    at += kRecordHeaderBytes + size;
  }
}

using Files = std::map<std::string, std::string>;  // by path below the log's folder

const Files& GoldenFiles() {
  static const Files files = [] {
    Files read;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(GOLDEN_FOLDER)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream stream(entry.path(), std::ios::binary);
      read[std::filesystem::relative(entry.path(), GOLDEN_FOLDER).string()] =
          std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
    }
    Require(!read.empty(), "the golden files are there");
    return read;
  }();
  return files;
}

// Each four bytes of the script do something to a file: bits flip, or its end is lost.
Files Damaged(std::string_view script) {
  constexpr size_t kDamages = 40;
  Files files = GoldenFiles();
  files.erase("format");
  for (size_t i = 0; i < kDamages && script.size() >= 4; i++) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(script.data());
    std::string& file = std::next(files.begin(), (bytes[0] & 127) % files.size())->second;
    const size_t at = (bytes[1] | size_t{bytes[2]} << 8) % (file.size() + 1);
    if (bytes[0] & 128) {
      file.resize(at);
    } else if (at < file.size()) {
      file[at] = static_cast<char>(file[at] ^ bytes[3]);
    }
    script.remove_prefix(4);
  }
  return files;
}

class Folder {
 public:
  explicit Folder(const std::vector<std::string>& parts) {
    for (size_t i = 0; i < parts.size(); i++) {
      const std::string& part = parts[i];
      bytes_ += part.size();
      if (IsFormat(part)) {
        disk_.Write(fmt::format("{}/format", kPath), part);
        continue;
      }
      if (IsCursor(part)) {
        disk_.Write(fmt::format("{}/p{}/{:016x}.pos", kPath, kTargetKey, i), part);
        continue;
      }
      // Where its header says, as a rule.
      const uint32_t partition = part.size() < SegmentHeader::kBytes ? 0 : NumberAt(part, 12) % 8;
      const std::string path = fmt::format("{}/p{}/{}", kPath, partition, SegmentName(i + 1));
      disk_.Write(path, part);
      sizes_[path] = part.size();
    }
  }

  explicit Folder(const Files& files) {
    for (const auto& [name, content] : files) {
      const std::string path = fmt::format("{}/{}", kPath, name);
      bytes_ += content.size();
      disk_.Write(path, content);
      if (name.ends_with(".seg")) sizes_[path] = content.size();
    }
  }

  // Twice, as what the first has repaired is for the second to find; then all is read.
  // `late`: after the log has looked at its limits. `honest`: what is there was written by the log.
  void Play(bool late, bool honest) {
    LookAt();
    if (!Open()) return;
    Require(CountsWhatItLeftOut(), "what is left out of a segment is counted");
    const std::vector<uint64_t> first = Facts();
    Require(Open(), "what was opened once is opened again");
    Require(log_->stats().unfinished_bytes == 0, "an end is repaired once");
    Require(Facts() == first, "a repaired log is the same again");
    const bool usable = log_->next_position() < kPositionsEnd;
    Use(late);
    if (usable) CheckUse(honest);
    Close();
    LookAt();
    Require(Open(), "what was used is opened again");
    Close();
  }

 private:
  struct Reader {
    SampleLog::ReaderId id = 0;
    bool reading = false, at_end = false;
    uint64_t records = 0;
    SampleCounts got;  // with what is told as lost
    TimestampMs latest = 0;
  };

  // As people do who look at one from outside.
  void LookAt() {
    auto found = FindLog(disk_, kPath);
    const LogFolder folder = found ? *found : LogFolder{kPath, kLogVersion, kLogPartitions};
    for (uint32_t p = 0; p < kLogPartitions; p++) {
      auto facts = ReadPartitionFacts(disk_, folder, p);
      if (!facts) continue;
      for (const SegmentFacts& segment : facts->segments) {
        static_cast<void>(ScanSegment(disk_, segment, {}));
      }
    }
  }

  bool Open() {
    log_.reset();
    DiskLogOptions options;
    options.path = kPath;
    auto opened = DiskLog::Open({loop_, disk_, io_, logger_}, options);
    if (!opened) {
      Require(!opened.error().message.empty(), "a refusal says why");
      return false;
    }
    log_ = std::move(*opened);
    return true;
  }

  bool CountsWhatItLeftOut() {
    uint64_t left_out = 0, segments = 0;
    for (uint32_t p = 0; p < kLogPartitions; p++) {
      for (const Segment& segment : log_->segments(p)) {
        segments++;
        const uint64_t size = sizes_.at(segment.path);
        if (size > segment.bytes + kFooterBytes) left_out += size - segment.bytes - kFooterBytes;
      }
    }
    uint64_t removed = 0;
    for (const auto& [path, size] : sizes_) removed += disk_.Content(path) == nullptr;
    const DiskLogStats& stats = log_->stats();
    return stats.unfinished_bytes >= left_out &&
           segments + removed + stats.foreign_files + stats.unreadable_segments == sizes_.size();
  }

  std::vector<uint64_t> Facts() const {
    std::vector<uint64_t> facts = {log_->next_position(), log_->stats().segments,
                                   log_->stats().bytes};
    for (uint32_t p = 0; p < kLogPartitions; p++) {
      facts.push_back(log_->end(p).total());
      for (const Segment& segment : log_->segments(p)) {
        facts.push_back(segment.summary.first);
        facts.push_back(segment.summary.last);
        facts.push_back(segment.summary.end.total());
      }
    }
    return facts;
  }

  void Use(bool late) {
    std::vector<std::string> names = {"nobody knows it"};
    for (const auto& [name, state] : log_->cursors(kTargetKey)) {
      if (names.size() < kReadersMax) names.push_back(name);
    }
    samples_ = std::make_unique<SampleLog>(loop_, SampleLogOptions(), std::move(log_));
    for (const std::string& name : names) {
      Reader& reader = readers_[name];
      reader.id = samples_->AddReader(name, [] {});
    }
    if (late) loop_.RunFor(seconds(3));
    Append();
    for (auto& [name, reader] : readers_) ReadAll(reader);
    loop_.RunFor(seconds(3));
  }

  void Append() {
    std::string packed;
    PackLabels(Labels{{"__name__", "fresh"}}, packed);
    GroupSamples samples;
    samples.group = std::make_shared<const GroupDefinition>(kTargetKey, 1,
                                                            std::vector<std::string_view>{packed});
    samples.timestamp = kFresh;
    samples.present = {1};
    samples.values = {1};
    Commit commit;
    commit.target_key = kTargetKey;
    commit.groups.push_back(std::move(samples));
    samples_->Append(std::move(commit));
  }

  void ReadAll(Reader& reader) {
    for (int round = 0; round < 1000 && !reader.at_end; round++) {
      if (!std::exchange(reader.reading, true)) {
        samples_->Read(reader.id, 100'000,
                       [this, &reader](SampleLog::Batch batch) { Take(reader, batch); });
      }
      loop_.RunFor(milliseconds(1));
    }
    Require(reader.at_end, "a log is read to its end");
  }

  void Take(Reader& reader, const SampleLog::Batch& batch) {
    reader.reading = false;
    reader.at_end = batch.at_end && samples_->disk()->writing() == false;
    reader.got += batch.lost + batch.damaged;
    for (const LogRecord& record : batch.records) {
      reader.records++;
      reader.got += record.samples->counts();
      reader.latest = record.samples->timestamp;
      samples_->Done(reader.id, record.ticket);
    }
    Require(reader.records <= bytes_ / kRecordHeaderBytes + 1, "no record is read twice");
  }

  void CheckUse(bool honest) {
    for (const auto& [name, reader] : readers_) {
      Require(reader.latest == kFresh, "what is appended is read, and last");
      if (!honest) continue;
      const SampleCounts appended = samples_->stats().appended;
      const SampleCounts unread = samples_->Unread(reader.id);
      const SampleCounts& found = samples_->Recovered(reader.id);
      if (!(found + appended == reader.got + unread)) {
        std::fprintf(stderr, "%s: %s found, %s appended, %s read or lost, %s unread\n",
                     name.c_str(), Text(found).c_str(), Text(appended).c_str(),
                     Text(reader.got).c_str(), Text(unread).c_str());
      }
      Require(found + appended == reader.got + unread,
              "what was there and came is read, lost or damaged");
    }
  }

  void Close() {
    log_.reset();
    samples_.reset();
  }

  static constexpr TimestampMs kFresh = 1'700'000'000'001;
  SimLoop loop_;
  SimDisk disk_;
  SimWorkQueue io_{loop_};
  Logger logger_ = Logger::Silent();
  uint64_t bytes_ = 0;
  std::map<std::string, uint64_t> sizes_;  // of segments, by path
  std::unique_ptr<DiskLog> log_;
  std::unique_ptr<SampleLog> samples_;
  std::map<std::string, Reader> readers_;
};

}  // namespace
}  // namespace tributary

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tributary;
  const bool late = size % 2 == 1;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> parts = Split(input);
  Folder(parts).Play(late, false);
  for (std::string& part : parts) {
    if (IsFormat(part)) continue;
    IsCursor(part) ? MendCursor(part) : MendSegment(part);
  }
  Folder(parts).Play(late, false);
  Folder(Damaged(input)).Play(late, true);
  return 0;
}
