// The header of a gzip member (RFC 1952), read byte by byte as it arrives. Accepts what Go's gzip
// reader does: reserved flags are ignored, name and comment are at most 511 bytes, the header's own
// checksum is verified where there is one. Keeps nothing of the contents. Not thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace tributary {

class GzipHeader {
 public:
  enum class State : uint8_t { kReading, kDone, kInvalid };

  // Takes the header's bytes off the front of `bytes`, at most to its end.
  State Read(std::string_view& bytes);
  // Whether not a byte was read yet.
  bool untouched() const { return field_ == Field::kFixed && taken_ == 0; }

 private:
  enum class Field : uint8_t { kFixed, kExtraLength, kExtra, kName, kComment, kChecksum, kDone };

  bool Take(uint8_t byte);
  void Enter(Field field);
  // From the first field after `field` that the flags name.
  void EnterNext(Field field);

  Field field_ = Field::kFixed;
  uint8_t flags_ = 0;
  uint32_t taken_ = 0;  // bytes of the current field
  uint32_t extra_length_ = 0;
  uint32_t checksum_ = 0;  // CRC-32 of the bytes so far
  uint32_t stored_checksum_ = 0;
};

}  // namespace tributary
