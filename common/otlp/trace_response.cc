#include "common/otlp/trace_response.h"

#include "common/base/varint.h"

namespace tributary {

namespace {

// Wire types of protobuf.
constexpr uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

struct Field {
  uint64_t number = 0;
  uint64_t type = 0;
  uint64_t varint = 0;
  std::string_view bytes;
  bool Is(uint64_t a_number, uint64_t a_type) const { return number == a_number && type == a_type; }
};

// Takes the next field off the front; false: there is none that can be read.
bool TakeField(std::string_view& in, Field& field) {
  uint64_t tag = 0;
  if (!TakeVarint(in, tag)) return false;
  field = {tag >> 3, tag & 7, 0, {}};
  uint64_t skip = 0;
  switch (field.type) {
    case kVarint:
      return TakeVarint(in, field.varint);
    case kFixed64:
      skip = 8;
      break;
    case kBytes:
      if (!TakeVarint(in, skip)) return false;
      break;
    case kFixed32:
      skip = 4;
      break;
    default:
      return false;
  }
  if (skip > in.size()) return false;
  field.bytes = in.substr(0, skip);
  in.remove_prefix(skip);
  return true;
}

}  // namespace

std::optional<TracePartialSuccess> ParseTraceResponse(std::string_view bytes) {
  TracePartialSuccess result;
  Field field;
  while (!bytes.empty()) {
    if (!TakeField(bytes, field)) return std::nullopt;
    // What is of another type is another's field, and passed over.
    if (!field.Is(1, kBytes)) continue;
    std::string_view partial = field.bytes;
    Field part;
    while (!partial.empty()) {
      if (!TakeField(partial, part)) return std::nullopt;
      if (part.Is(1, kVarint)) result.rejected_spans = static_cast<int64_t>(part.varint);
      if (part.Is(2, kBytes)) result.message = part.bytes;
    }
  }
  return result;
}

}  // namespace tributary
