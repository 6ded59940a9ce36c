#include "agent/log/cursor_file.h"

#include <cstring>

#include <fmt/format.h>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

constexpr std::string_view kMagic = "TRIBPOS1";
constexpr size_t kSlotBytes = 8192;
constexpr size_t kHeadBytes = 8 + 4 + 4;  // magic, CRC32C of what follows, its size
// Of the readers' names as Prometheus allows them, and URLs.
constexpr size_t kReaderBytesMax = 2048;

void PutCounts(std::string& out, const SampleCounts& counts) {
  PutVarint(out, counts.samples);
  PutVarint(out, counts.histograms);
  PutVarint(out, counts.exemplars);
}

bool TakeCounts(std::string_view& in, SampleCounts& counts) {
  return TakeVarint(in, counts.samples) && TakeVarint(in, counts.histograms) &&
         TakeVarint(in, counts.exemplars);
}

std::string EncodeSlot(const CursorState& state, uint64_t serial) {
  std::string body;
  const std::string reader = state.reader.substr(0, kReaderBytesMax);
  PutVarint(body, serial);
  PutVarint(body, reader.size());
  body += reader;
  PutVarint(body, state.low);
  PutVarint(body, state.handed_out);
  PutVarint(body, static_cast<uint64_t>(state.since_ms));
  PutCounts(body, state.before_low);
  PutCounts(body, state.in_done);
  LogPosition before = state.low;
  for (const auto& [first, last] : state.done) {
    PutVarint(body, first - before);
    PutVarint(body, last - first);
    before = last;
  }
  std::string slot(kMagic);
  CHECK(kHeadBytes + body.size() <= kSlotBytes);
  const uint32_t crc = Crc32c(body);
  const auto size = static_cast<uint32_t>(body.size());
  slot.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
  slot.append(reinterpret_cast<const char*>(&size), sizeof(size));
  return slot + body;
}

// The checksum of later versions covers the magic too, so that a bit that has flipped in it makes
// no later version.
bool IsLaterMagic(std::string_view magic) {
  const size_t digit = kMagic.size() - 1;
  return magic.substr(0, digit) == kMagic.substr(0, digit) && magic[digit] > kMagic[digit] &&
         magic[digit] <= '9';
}

std::optional<ReadCursorResult> DecodeSlot(std::string_view slot) {
  if (slot.size() < kHeadBytes) return std::nullopt;
  const std::string_view magic = slot.substr(0, kMagic.size());
  uint32_t crc = 0, size = 0;
  memcpy(&crc, slot.data() + 8, sizeof(crc));
  memcpy(&size, slot.data() + 12, sizeof(size));
  if (size > slot.size() - kHeadBytes) return std::nullopt;
  std::string_view in = slot.substr(kHeadBytes, size);
  if (magic != kMagic) {
    if (!IsLaterMagic(magic) || Crc32c(std::string(magic) + std::string(in)) != crc) {
      return std::nullopt;
    }
    ReadCursorResult newer;
    newer.newer = true;
    return newer;
  }
  if (Crc32c(in) != crc) return std::nullopt;
  ReadCursorResult result;
  CursorState& state = result.state;
  uint64_t bytes = 0, since = 0;
  if (!TakeVarint(in, result.serial) || !TakeVarint(in, bytes) || bytes > in.size()) {
    return std::nullopt;
  }
  state.reader = in.substr(0, bytes);
  in.remove_prefix(bytes);
  if (!TakeVarint(in, state.low) || !TakeVarint(in, state.handed_out) || !TakeVarint(in, since) ||
      !TakeCounts(in, state.before_low) || !TakeCounts(in, state.in_done)) {
    return std::nullopt;
  }
  state.since_ms = static_cast<TimestampMs>(since);
  LogPosition before = state.low;
  while (!in.empty()) {
    uint64_t first = 0, count = 0;
    if (!TakeVarint(in, first) || !TakeVarint(in, count)) return std::nullopt;
    state.done.emplace_back(before + first, before + first + count);
    before = state.done.back().second;
  }
  return result;
}

}  // namespace

std::string CursorName(const std::string& reader) {
  return fmt::format("{:016x}.pos", StableHash(reader));
}

bool IsCursorName(const std::string& name) { return name.size() == 20 && name.ends_with(".pos"); }

Status CursorWriter::Write(Disk& disk, const CursorState& state, Durable durable) {
  saved_ = false;
  auto file = disk.Open(path_, FileMode::kWrite);
  if (!file) {
    file = disk.Open(path_, FileMode::kCreate);
    made_ = true;
  }
  if (!file) return Fail(file.error().message);
  const uint64_t serial = serial_ + 1;
  Status written = (*file)->WriteAt((serial % 2) * kSlotBytes, EncodeSlot(state, serial));
  const bool fresh = made_ && durable != Durable::kNo;
  if (written && (fresh || durable == Durable::kAlways)) written = (*file)->Sync();
  if (written && fresh) written = disk.SyncDirectory(path_.substr(0, path_.rfind('/')));
  if (!written) return written;
  made_ = false;
  serial_ = serial;
  saved_ = true;
  return {};
}

Result<std::optional<ReadCursorResult>> ReadCursor(Disk& disk, const std::string& path) {
  auto file = disk.Open(path, FileMode::kRead);
  if (!file) return Fail(file.error().message);
  std::string bytes(2 * kSlotBytes, '\0');
  auto read = (*file)->ReadAt(0, bytes.data(), bytes.size());
  if (!read) return Fail(read.error().message);
  bytes.resize(*read);
  std::optional<ReadCursorResult> latest;
  for (size_t begin = 0; begin < bytes.size(); begin += kSlotBytes) {
    auto slot = DecodeSlot(std::string_view(bytes).substr(begin, kSlotBytes));
    if (slot && slot->newer) return slot;
    if (slot && (!latest || slot->serial > latest->serial)) latest = std::move(slot);
  }
  return latest;
}

}  // namespace tributary
