#include "common/compress/gzip_header.h"

#include <isa-l/crc.h>

#include <array>

namespace tributary {
namespace {

constexpr std::array<uint8_t, 3> kMagicAndDeflate = {0x1f, 0x8b, 8};
constexpr uint32_t kFixedLength = 10;
constexpr uint32_t kFlagsAt = 3;
constexpr uint32_t kTextMax = 511;  // Go's buffer holds 512 with the closing NUL

constexpr uint8_t kHasChecksum = 1 << 1;
constexpr uint8_t kHasExtra = 1 << 2;
constexpr uint8_t kHasName = 1 << 3;
constexpr uint8_t kHasComment = 1 << 4;

}  // namespace

GzipHeader::State GzipHeader::Read(std::string_view& bytes) {
  while (field_ != Field::kDone) {
    if (bytes.empty()) return State::kReading;
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (field_ != Field::kChecksum) checksum_ = crc32_gzip_refl(checksum_, &byte, 1);
    if (!Take(byte)) return State::kInvalid;
  }
  return State::kDone;
}

bool GzipHeader::Take(uint8_t byte) {
  const uint32_t index = taken_++;
  switch (field_) {
    case Field::kFixed:
      if (index < kMagicAndDeflate.size() && byte != kMagicAndDeflate[index]) return false;
      if (index == kFlagsAt) flags_ = byte;
      if (taken_ == kFixedLength) EnterNext(Field::kFixed);
      return true;
    case Field::kExtraLength:
      extra_length_ |= static_cast<uint32_t>(byte) << (8 * index);
      if (taken_ == 2 && extra_length_ == 0) {
        EnterNext(Field::kExtra);
      } else if (taken_ == 2) {
        Enter(Field::kExtra);
      }
      return true;
    case Field::kExtra:
      if (taken_ == extra_length_) EnterNext(Field::kExtra);
      return true;
    case Field::kName:
    case Field::kComment:
      if (byte == 0) {
        EnterNext(field_);
        return true;
      }
      return taken_ <= kTextMax;
    case Field::kChecksum:
      stored_checksum_ |= static_cast<uint32_t>(byte) << (8 * index);
      if (taken_ < 2) return true;
      Enter(Field::kDone);
      return stored_checksum_ == (checksum_ & 0xffff);
    case Field::kDone:
      break;
  }
  return false;
}

void GzipHeader::Enter(Field field) {
  field_ = field;
  taken_ = 0;
}

void GzipHeader::EnterNext(Field field) {
  if (field < Field::kExtraLength && (flags_ & kHasExtra) != 0) return Enter(Field::kExtraLength);
  if (field < Field::kName && (flags_ & kHasName) != 0) return Enter(Field::kName);
  if (field < Field::kComment && (flags_ & kHasComment) != 0) return Enter(Field::kComment);
  if (field < Field::kChecksum && (flags_ & kHasChecksum) != 0) return Enter(Field::kChecksum);
  Enter(Field::kDone);
}

}  // namespace tributary
