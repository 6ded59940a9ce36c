#include "common/wire/write_request_reader.h"

#include "common/base/protobuf_cursor.h"

namespace tributary {

namespace {

using Cursor = ProtobufCursor;
using Field = ProtobufField;

// Fields of one number, which mostly stand side by side, as one run of bytes. The reader of pages
// (common/exposition/protobuf_metric.cc) has the same in its own state: taken from here it read
// native histograms a twelfth slower.
class FieldRun {
 public:
  explicit FieldRun(std::string& scratch) : scratch_(scratch) {}

  void Add(const char* begin, const char* end) {
    if (begin_ == nullptr) begin_ = begin;
    if (!scattered_ && begin_ + size_ != begin) {
      scattered_ = true;
      scratch_.assign(begin_, size_);
    }
    if (scattered_) scratch_.append(begin, end);
    size_ += static_cast<size_t>(end - begin);
  }
  std::string_view bytes() const {
    return scattered_ ? std::string_view(scratch_) : std::string_view(begin_, size_);
  }

 private:
  std::string& scratch_;
  const char* begin_ = nullptr;
  size_t size_ = 0;
  bool scattered_ = false;
};

MetricType TypeOf(int32_t type) {
  const bool known = type >= 0 && type <= static_cast<int32_t>(MetricType::kStateset);
  return known ? static_cast<MetricType>(type) : MetricType::kUnknown;
}

bool ReadSample(std::string_view bytes, const char*& problem, WriteSample& out) {
  Cursor in(bytes, problem);
  for (Field field; in.Next(field);) {
    switch (field.number) {
      case 1:
        in.Read(field, out.value);
        break;
      case 2:
        in.Read(field, out.timestamp);
        break;
      case 3:
        in.Read(field, out.start);
        break;
      default:
        in.Skip(field);
    }
  }
  return in.ok();
}

bool ReadSeriesMetadata(std::string_view bytes, const char*& problem, WriteSeries& out) {
  Cursor in(bytes, problem);
  int32_t type = static_cast<int32_t>(out.type);
  for (Field field; in.Next(field);) {
    switch (field.number) {
      case 1:
        in.Read(field, type);
        break;
      case 3:
        in.Read(field, out.help_ref);
        break;
      case 4:
        in.Read(field, out.unit_ref);
        break;
      default:
        in.Skip(field);
    }
  }
  out.type = TypeOf(type);
  return in.ok();
}

}  // namespace

void WriteSeries::Clear() {
  label_bytes = {};
  label_refs.clear();
  samples.clear();
  histograms.clear();
  exemplars.clear();
  type = MetricType::kUnknown;
  help_ref = unit_ref = 0;
  start = 0;
}

WriteRequestReader::Opened WriteRequestReader::Open(WriteVersion version, std::string_view bytes,
                                                    size_t limit) {
  version_ = version;
  bytes_ = bytes;
  limit_ = limit;
  problem_ = nullptr;
  series_.clear();
  metadata_.clear();
  symbols_.clear();
  const bool is_v1 = version == WriteVersion::kV1;
  const int32_t series = is_v1 ? 1 : 5;
  const int32_t metadata = is_v1 ? 3 : 0;
  const int32_t symbols = is_v1 ? 0 : 4;
  Cursor in(bytes, problem_);
  for (Field field; in.Next(field);) {
    std::string_view part;
    if (field.number != series && field.number != metadata && field.number != symbols) {
      in.Skip(field);
      continue;
    }
    if (!in.Read(field, part)) continue;
    if (field.number == series) {
      series_.push_back(RangeOf(part));
    } else if (field.number == metadata) {
      metadata_.push_back(RangeOf(part));
    } else {
      symbols_.push_back(part);
    }
    if (series_.size() > limit || metadata_.size() > limit || symbols_.size() > limit) {
      return Opened::kTooMuch;
    }
  }
  return in.ok() ? Opened::kGood : Opened::kMalformed;
}

bool WriteRequestReader::ReadSeries(size_t index, WriteSeries& out) const {
  const bool is_v1 = version_ == WriteVersion::kV1;
  const int32_t exemplars = is_v1 ? 3 : 4;
  const int32_t histograms = is_v1 ? 4 : 3;
  out.Clear();
  const char* problem = nullptr;
  FieldRun labels(out.scratch);
  Cursor in(At(series_[index]), problem);
  for (Field field; in.Next(field);) {
    std::string_view part;
    if (field.number == 1 && is_v1) {
      if (in.Read(field, part)) labels.Add(field.begin, in.position());
    } else if (field.number == 1) {
      in.ReadNumbers(field,
                     [&](uint64_t ref) { out.label_refs.push_back(static_cast<uint32_t>(ref)); });
    } else if (field.number == 2) {
      if (in.Read(field, part)) ReadSample(part, problem, out.samples.emplace_back());
    } else if (field.number == histograms) {
      if (in.Read(field, part)) out.histograms.push_back(part);
    } else if (field.number == exemplars) {
      if (in.Read(field, part)) out.exemplars.push_back(part);
    } else if (field.number == 5 && !is_v1) {
      if (in.Read(field, part)) ReadSeriesMetadata(part, problem, out);
    } else if (field.number == 6 && !is_v1) {
      in.Read(field, out.start);
    } else {
      in.Skip(field);
    }
    if (out.samples.size() + out.histograms.size() + out.exemplars.size() > limit_) return false;
  }
  out.label_bytes = labels.bytes();
  return in.ok();
}

bool WriteRequestReader::ReadPlainSeries(size_t index, size_t label_bytes, WriteSeries& out) const {
  constexpr char kSampleTag = 0x12;
  const std::string_view series = At(series_[index]);
  if (series.size() < label_bytes + 2 || series[label_bytes] != kSampleTag) return false;
  const auto size = static_cast<uint8_t>(series[label_bytes + 1]);
  if (size >= 128 || label_bytes + 2 + size != series.size()) return false;
  out.Clear();
  out.label_bytes = series.substr(0, label_bytes);
  const char* problem = nullptr;
  return ReadSample(series.substr(label_bytes + 2), problem, out.samples.emplace_back());
}

bool WriteRequestReader::ReadHistogram(std::string_view bytes, WriteHistogram& out) const {
  // Lists of numbers take eight times their bytes.
  return bytes.size() <= kHistogramBytesMax && DecodeHistogram(bytes, out.histogram, &out.times);
}

bool WriteRequestReader::ReadExemplar(std::string_view bytes, WriteExemplar& out) const {
  const bool is_v1 = version_ == WriteVersion::kV1;
  out.label_refs.clear();
  out.value = 0;
  out.timestamp = 0;
  const char* problem = nullptr;
  FieldRun labels(out.scratch);
  Cursor in(bytes, problem);
  for (Field field; in.Next(field);) {
    std::string_view part;
    switch (field.number) {
      case 1:
        if (!is_v1) {
          in.ReadNumbers(
              field, [&](uint64_t ref) { out.label_refs.push_back(static_cast<uint32_t>(ref)); });
        } else if (in.Read(field, part)) {
          labels.Add(field.begin, in.position());
        }
        break;
      case 2:
        in.Read(field, out.value);
        break;
      case 3:
        in.Read(field, out.timestamp);
        break;
      default:
        in.Skip(field);
    }
  }
  out.label_bytes = labels.bytes();
  return in.ok();
}

bool WriteRequestReader::ReadMetadata(size_t index, WriteMetadata& out) const {
  out = {};
  int32_t type = 0;
  const char* problem = nullptr;
  Cursor in(At(metadata_[index]), problem);
  for (Field field; in.Next(field);) {
    switch (field.number) {
      case 1:
        in.Read(field, type);
        break;
      case 2:
        in.Read(field, out.family);
        break;
      case 4:
        in.Read(field, out.help);
        break;
      case 5:
        in.Read(field, out.unit);
        break;
      default:
        in.Skip(field);
    }
  }
  out.type = TypeOf(type);
  return in.ok();
}

}  // namespace tributary
