// Reads the fields of one protobuf message, by the rules of the code that gogo generates for
// prometheus/prometheus prompb (3.16). Nothing is copied or allocated.
//
//   for (ProtobufField field; in.Next(field);) { ... in.Read(field, value) or in.Skip(field) ... }
//   return in.ok();
//
// The first problem is kept where the creator said, and ends the reading.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tributary {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroupBegin = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

// Of a tag: only the low 32 bits of the number count.
inline int32_t ProtobufFieldNumber(uint64_t tag) { return static_cast<int32_t>(tag >> 3); }
inline WireType ProtobufWireType(uint64_t tag) { return static_cast<WireType>(tag & 7); }

struct ProtobufField {
  int32_t number = 0;
  WireType type = WireType::kVarint;
  const char* begin = nullptr;  // of its tag
};

class ProtobufCursor {
 public:
  // `problem` is shared by the cursors of nested messages, and null as long as all is well.
  ProtobufCursor(std::string_view bytes, const char*& problem)
      : p_(bytes.data()), end_(bytes.data() + bytes.size()), problem_(problem) {}

  bool ok() const { return problem_ == nullptr; }
  const char* position() const { return p_; }

  // The next field's tag; false at the end or after a problem.
  bool Next(ProtobufField& field) {
    if (p_ == end_ || problem_ != nullptr) return false;
    field.begin = p_;
    uint64_t tag = 0;
    if (!Varint(tag)) return false;
    field.number = ProtobufFieldNumber(tag);
    field.type = ProtobufWireType(tag);
    if (field.type == WireType::kGroupEnd) return Problem("a group ends that did not begin");
    if (field.number <= 0) return Problem("a field number is out of range");
    return true;
  }

  // The field's value. For numbers shorter than 64 bits the low bits count.
  bool Read(const ProtobufField& field, uint64_t& value) {
    return Is(field, WireType::kVarint) && Varint(value);
  }
  bool Read(const ProtobufField& field, int64_t& value) {
    uint64_t raw = 0;
    if (!Read(field, raw)) return false;
    value = static_cast<int64_t>(raw);
    return true;
  }
  bool Read(const ProtobufField& field, int32_t& value) {
    uint64_t raw = 0;
    if (!Read(field, raw)) return false;
    value = static_cast<int32_t>(raw);
    return true;
  }
  bool Read(const ProtobufField& field, uint32_t& value) {
    uint64_t raw = 0;
    if (!Read(field, raw)) return false;
    value = static_cast<uint32_t>(raw);
    return true;
  }
  bool Read(const ProtobufField& field, double& value) {
    return Is(field, WireType::kFixed64) && Fixed64(value);
  }
  bool Read(const ProtobufField& field, std::string_view& bytes) {
    return Is(field, WireType::kBytes) && Bytes(bytes);
  }
  bool ReadZigZag(const ProtobufField& field, int32_t& value) {
    uint32_t raw = 0;
    if (!Read(field, raw)) return false;
    value = static_cast<int32_t>((raw >> 1) ^ (0 - (raw & 1)));
    return true;
  }

  // A repeated field of numbers, one of them or a packed list of them: calls add(number) for each.
  // The last number of a list may reach beyond the list's end.
  template <typename Add>
  bool ReadZigZags(const ProtobufField& field, Add add) {
    return ReadList(field, WireType::kVarint, [this, &add] {
      uint64_t raw = 0;
      if (!Varint(raw)) return false;
      add(static_cast<int64_t>((raw >> 1) ^ (0 - (raw & 1))));
      return true;
    });
  }
  template <typename Add>
  bool ReadNumbers(const ProtobufField& field, Add add) {
    return ReadList(field, WireType::kVarint, [this, &add] {
      uint64_t number = 0;
      if (!Varint(number)) return false;
      add(number);
      return true;
    });
  }
  template <typename Add>
  bool ReadDoubles(const ProtobufField& field, Add add) {
    return ReadList(field, WireType::kFixed64, [this, &add] {
      double value = 0;
      if (!Fixed64(value)) return false;
      add(value);
      return true;
    });
  }

  // Over a field whose tag was just read; a group with all that is in it, by depth alone.
  bool Skip(const ProtobufField& field) {
    uint64_t depth = 0;
    for (WireType type = field.type;;) {
      if (type == WireType::kGroupBegin) ++depth;
      if (type == WireType::kGroupEnd) --depth;
      if (!SkipValue(type)) return false;
      if (depth == 0) return true;
      uint64_t tag = 0;
      if (!Varint(tag)) return false;
      type = ProtobufWireType(tag);
    }
  }

 private:
  bool Problem(const char* problem) {
    problem_ = problem;
    return false;
  }
  bool EndsEarly() { return Problem("a field ends early"); }
  bool Is(const ProtobufField& field, WireType type) {
    return field.type == type || Problem("a field has the wrong wire type");
  }
  uint64_t left() const { return static_cast<uint64_t>(end_ - p_); }

  bool Varint(uint64_t& value) {
    if (p_ != end_ && static_cast<uint8_t>(*p_) < 128) {
      value = static_cast<uint8_t>(*p_++);
      return true;
    }
    return LongVarint(value);
  }
  bool LongVarint(uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (p_ == end_) return EndsEarly();
      const auto byte = static_cast<uint8_t>(*p_++);
      value |= uint64_t{byte & 127U} << shift;
      if (byte < 128) return true;
    }
    return Problem("a number is too long");
  }
  bool Fixed64(double& value) {
    static_assert(std::endian::native == std::endian::little);
    if (left() < sizeof value) return EndsEarly();
    std::memcpy(&value, p_, sizeof value);
    p_ += sizeof value;
    return true;
  }
  bool Bytes(std::string_view& bytes) {
    uint64_t size = 0;
    if (!Varint(size)) return false;
    if (size > left()) return EndsEarly();
    bytes = {p_, static_cast<size_t>(size)};
    p_ += size;
    return true;
  }
  template <typename ReadOne>
  bool ReadList(const ProtobufField& field, WireType type, ReadOne read_one) {
    if (field.type == type) return read_one();
    std::string_view list;
    if (!Read(field, list)) return false;
    p_ = list.data();
    for (const char* list_end = p_ + list.size(); p_ < list_end;) {
      if (!read_one()) return false;
    }
    return true;
  }
  bool SkipValue(WireType type) {
    uint64_t number = 0;
    std::string_view bytes;
    switch (type) {
      case WireType::kVarint:
        return Varint(number);
      case WireType::kFixed64:
        return SkipBytes(8);
      case WireType::kBytes:
        return Bytes(bytes);
      case WireType::kGroupBegin:
        return true;
      case WireType::kGroupEnd:
        return true;
      case WireType::kFixed32:
        return SkipBytes(4);
    }
    return Problem("a field has an unknown wire type");
  }
  bool SkipBytes(uint64_t count) {
    if (left() < count) return EndsEarly();
    p_ += count;
    return true;
  }

  const char* p_;
  const char* end_;
  const char*& problem_;
};

}  // namespace tributary
