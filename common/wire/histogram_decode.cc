#include "common/base/protobuf_cursor.h"
#include "common/wire/histogram.h"

namespace tributary {
namespace {

void ReadSpan(ProtobufCursor& in, const ProtobufField& field, const char*& problem,
              std::vector<BucketSpan>& spans) {
  std::string_view bytes;
  if (!in.Read(field, bytes)) return;
  BucketSpan& out = spans.emplace_back();
  ProtobufCursor inner(bytes, problem);
  for (ProtobufField f; inner.Next(f);) {
    switch (f.number) {
      case 1:
        inner.ReadZigZag(f, out.offset);
        break;
      case 2:
        inner.Read(f, out.length);
        break;
      default:
        inner.Skip(f);
    }
  }
}

// Only what belongs to its kind counts, as in prompb's ToIntHistogram and ToFloatHistogram.
void DropOtherKind(NativeHistogram& h) {
  if (h.is_float) {
    h.count = h.zero_count = 0;
    h.positive_deltas.clear();
    h.negative_deltas.clear();
  } else {
    h.count_float = h.zero_count_float = 0;
    h.positive_counts.clear();
    h.negative_counts.clear();
  }
}

}  // namespace

bool DecodeHistogram(std::string_view encoded, NativeHistogram& h, HistogramTimes* times) {
  h.Clear();
  HistogramTimes read;
  int32_t hint = 0;
  const char* problem = nullptr;
  auto add_to = [](auto& list) { return [&list](auto number) { list.push_back(number); }; };
  ProtobufCursor in(encoded, problem);
  for (ProtobufField field; in.Next(field);) {
    switch (field.number) {
      case 1:
        h.is_float = false;
        h.count_float = 0;
        in.Read(field, h.count);
        break;
      case 2:
        h.is_float = true;
        h.count = 0;
        in.Read(field, h.count_float);
        break;
      case 3:
        in.Read(field, h.sum);
        break;
      case 4:
        in.ReadZigZag(field, h.schema);
        break;
      case 5:
        in.Read(field, h.zero_threshold);
        break;
      case 6:
        h.zero_count_float = 0;
        in.Read(field, h.zero_count);
        break;
      case 7:
        h.zero_count = 0;
        in.Read(field, h.zero_count_float);
        break;
      case 8:
        ReadSpan(in, field, problem, h.negative_spans);
        break;
      case 9:
        in.ReadZigZags(field, add_to(h.negative_deltas));
        break;
      case 10:
        in.ReadDoubles(field, add_to(h.negative_counts));
        break;
      case 11:
        ReadSpan(in, field, problem, h.positive_spans);
        break;
      case 12:
        in.ReadZigZags(field, add_to(h.positive_deltas));
        break;
      case 13:
        in.ReadDoubles(field, add_to(h.positive_counts));
        break;
      case 14:
        in.Read(field, hint);
        break;
      case 15:
        in.Read(field, read.timestamp);
        break;
      case 16:
        in.ReadDoubles(field, add_to(h.custom_values));
        break;
      case 17:
        in.Read(field, read.start);
        break;
      default:
        in.Skip(field);
    }
  }
  // Of an enum that has grown the new values are unknown.
  if (hint >= 0 && hint <= 3) h.reset_hint = static_cast<NativeHistogram::ResetHint>(hint);
  DropOtherKind(h);
  if (times != nullptr) *times = read;
  return in.ok();
}

}  // namespace tributary
