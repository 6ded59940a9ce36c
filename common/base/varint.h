// Unsigned varints of protobuf: 7 bits a byte, lowest first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

inline void PutVarint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

// Takes a varint off the front of `in`. False, with `in` unspecified, if there is none.
inline bool TakeVarint(std::string_view& in, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < in.size() && i < 10; i++) {
    const auto byte = static_cast<uint8_t>(in[i]);
    value |= static_cast<uint64_t>(byte & 127) << (7 * i);
    if (byte < 128) {
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace tributary
