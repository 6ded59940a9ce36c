// The protobuf wire format, as far as our messages need it. Fields go out in the order of the
// calls; leaving out default values, as proto3 does, is the caller's choice. Source:
// protobuf.dev/programming-guides/encoding.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace tributary::protobuf {

enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline void AppendVarint(uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out += static_cast<char>(static_cast<unsigned char>(value | 0x80));
    value >>= 7;
  }
  out += static_cast<char>(static_cast<unsigned char>(value));
}

constexpr size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

inline void AppendTag(uint32_t field, WireType type, std::string& out) {
  AppendVarint((field << 3) | static_cast<uint32_t>(type), out);
}

inline void AppendVarintField(uint32_t field, uint64_t value, std::string& out) {
  AppendTag(field, WireType::kVarint, out);
  AppendVarint(value, out);
}

// Types sint32 and sint64: numbers near zero are short, whatever their sign.
constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

// The lowest `bytes` bytes, lowest first.
inline void AppendFixed(uint64_t bits, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i, bits >>= 8) {
    out += static_cast<char>(static_cast<unsigned char>(bits));
  }
}

inline void AppendFixed64Field(uint32_t field, uint64_t value, std::string& out) {
  AppendTag(field, WireType::kFixed64, out);
  AppendFixed(value, 8, out);
}

inline void AppendFixed32Field(uint32_t field, uint32_t value, std::string& out) {
  AppendTag(field, WireType::kFixed32, out);
  AppendFixed(value, 4, out);
}

// The bits of a double, unchanged: NaN payloads matter (stale markers).
inline void AppendDouble(double value, std::string& out) {
  AppendFixed(std::bit_cast<uint64_t>(value), 8, out);
}

inline void AppendDoubleField(uint32_t field, double value, std::string& out) {
  AppendTag(field, WireType::kFixed64, out);
  AppendDouble(value, out);
}

// A string, bytes, or a message that is encoded already.
inline void AppendBytesField(uint32_t field, std::string_view bytes, std::string& out) {
  AppendTag(field, WireType::kBytes, out);
  AppendVarint(bytes.size(), out);
  out += bytes;
}

}  // namespace tributary::protobuf
