#include "common/base/protobuf_cursor.h"
#include "common/wire/histogram.h"

namespace tributary {
namespace {

bool ReadSpan(ProtobufCursor& in, const ProtobufField& field, const char*& problem,
              std::vector<BucketSpan>& spans) {
  std::string_view bytes;
  if (!in.Read(field, bytes)) return false;
  BucketSpan span;
  ProtobufCursor inner(bytes, problem);
  for (ProtobufField part; inner.Next(part);) {
    const bool read = part.number == 1   ? inner.ReadZigZag(part, span.offset)
                      : part.number == 2 ? inner.Read(part, span.length)
                                         : inner.Skip(part);
    if (!read) return false;
  }
  spans.push_back(span);
  return inner.ok();
}

bool ReadField(ProtobufCursor& in, const ProtobufField& field, const char*& problem,
               NativeHistogram& h) {
  const auto deltas = [](std::vector<int64_t>& list) {
    return [&list](int64_t delta) { list.push_back(delta); };
  };
  const auto doubles = [](std::vector<double>& list) {
    return [&list](double value) { list.push_back(value); };
  };
  uint64_t hint = 0;
  switch (field.number) {
    case 1:
      return in.Read(field, h.count);
    case 2:
      h.is_float = true;
      return in.Read(field, h.count_float);
    case 3:
      return in.Read(field, h.sum);
    case 4:
      return in.ReadZigZag(field, h.schema);
    case 5:
      return in.Read(field, h.zero_threshold);
    case 6:
      return in.Read(field, h.zero_count);
    case 7:
      return in.Read(field, h.zero_count_float);
    case 8:
      return ReadSpan(in, field, problem, h.negative_spans);
    case 9:
      return in.ReadZigZags(field, deltas(h.negative_deltas));
    case 10:
      return in.ReadDoubles(field, doubles(h.negative_counts));
    case 11:
      return ReadSpan(in, field, problem, h.positive_spans);
    case 12:
      return in.ReadZigZags(field, deltas(h.positive_deltas));
    case 13:
      return in.ReadDoubles(field, doubles(h.positive_counts));
    case 14:
      if (!in.Read(field, hint)) return false;
      h.reset_hint = hint <= 3 ? static_cast<NativeHistogram::ResetHint>(hint)
                               : NativeHistogram::ResetHint::kUnknown;
      return true;
    case 16:
      return in.ReadDoubles(field, doubles(h.custom_values));
    default:
      return in.Skip(field);
  }
}

}  // namespace

bool DecodeHistogram(std::string_view encoded, NativeHistogram& histogram) {
  histogram.Clear();
  const char* problem = nullptr;
  ProtobufCursor in(encoded, problem);
  for (ProtobufField field; in.Next(field);) {
    if (!ReadField(in, field, problem, histogram)) return false;
  }
  return in.ok();
}

}  // namespace tributary
