#include "common/otlp/trace_response.h"

#include "common/base/varint.h"

namespace tributary {

namespace {

struct Field {
  uint64_t number = 0;
  uint64_t varint = 0;     // of type 0
  std::string_view bytes;  // of type 2
};

// Takes the next field off the front; false: there is none that can be read.
bool TakeField(std::string_view& in, Field& field) {
  uint64_t tag = 0;
  if (!TakeVarint(in, tag)) return false;
  field = {tag >> 3, 0, {}};
  uint64_t skip = 0;
  switch (tag & 7) {
    case 0:
      return TakeVarint(in, field.varint);
    case 1:
      skip = 8;
      break;
    case 2:
      if (!TakeVarint(in, skip)) return false;
      break;
    case 5:
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
    if (field.number != 1) continue;
    std::string_view partial = field.bytes;
    Field part;
    while (!partial.empty()) {
      if (!TakeField(partial, part)) return std::nullopt;
      if (part.number == 1) result.rejected_spans = static_cast<int64_t>(part.varint);
      if (part.number == 2) result.message = part.bytes;
    }
  }
  return result;
}

}  // namespace tributary
