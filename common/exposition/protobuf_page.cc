#include "common/exposition/protobuf_page.h"

#include <algorithm>
#include <utility>

#include "common/base/protobuf_cursor.h"
#include "common/base/utf8.h"
#include "common/base/varint.h"
#include "common/exposition/series_labels.h"

namespace tributary {
namespace {

// Fields of MetricFamily.
enum : int32_t { kName = 1, kHelp = 2, kType = 3, kMetric = 4, kUnit = 5 };

constexpr unsigned kLengthBytesMax = 5;  // of the varint before a family
constexpr unsigned kVarintBytesMax = 10;
// What a buffer may keep for the next page; and the largest metric after which metric_ is kept
// (what is decoded may be twenty times as large as its bytes).
constexpr size_t kKeptBytesMax = size_t{1} << 20;
constexpr size_t kKeptMetricBytesMax = size_t{64} << 10;

void ClearBuffer(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBytesMax) buffer.shrink_to_fit();
}

// The number of bytes of the varint that `bytes` begins with; 0 if it does not end there.
size_t VarintBytes(std::string_view bytes, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < bytes.size() && i < kVarintBytesMax; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    value |= uint64_t{byte & 127U} << (7 * i);
    if (byte < 128) return i + 1;
  }
  return 0;
}

std::string Quoted(std::string_view name) {
  constexpr size_t kShownMax = 200;
  return "\"" + Printable(name.substr(0, kShownMax)) + "\"";
}

bool IsKnown(int32_t number) { return number >= kName && number <= kUnit; }

}  // namespace

void ProtobufPageReader::Push(std::string_view bytes) { input_ = bytes; }

void ProtobufPageReader::Reset() {
  state_ = State::kLength;
  input_ = {};
  ClearBuffer(carry_);
  carry_done_ = false;
  length_ = 0;
  length_bytes_ = 0;
  if (metric_bytes_max_ > kKeptMetricBytesMax) metric_ = {};
  metric_bytes_max_ = 0;
  metric_.Clear();
  metric_.untyped_value = 0;
  ClearBuffer(name_);
  ClearBuffer(help_);
  ClearBuffer(unit_);
  error_.clear();
  never_began_ = false;
  BeginFamily(0);
  state_ = State::kLength;
}

ProtobufPageReader::Event ProtobufPageReader::Next() {
  if (state_ != State::kPending) ForgetCarry();
  for (;;) {
    std::optional<Event> event;
    switch (state_) {
      case State::kLength:
        event = ReadLength();
        break;
      case State::kField:
        event = ReadField();
        break;
      case State::kPending:
        state_ = State::kField;
        event = HandOut(std::exchange(pending_, {}));
        break;
      case State::kHeld:
        event = ReadHeld();
        break;
      case State::kFailed:
        event = Event::kError;
        break;
    }
    if (event) return *event;
  }
}

Status ProtobufPageReader::Finish() {
  if (state_ == State::kLength && length_bytes_ == 0) return {};
  if (state_ != State::kFailed) {
    FailWith("the page ends in the midst of a family", state_ != State::kLength);
  }
  return Fail(error_);
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::ReadLength() {
  while (!input_.empty()) {
    const auto byte = static_cast<uint8_t>(input_.front());
    input_.remove_prefix(1);
    length_ |= uint64_t{byte & 127U} << (7 * length_bytes_);
    ++length_bytes_;
    if (byte < 128) {
      BeginFamily(length_);
      length_ = 0;
      length_bytes_ = 0;
      return std::nullopt;
    }
    if (length_bytes_ == kLengthBytesMax) return FailWith("a family's length is too long", false);
  }
  return Event::kNeedsBytes;
}

void ProtobufPageReader::BeginFamily(uint64_t bytes) {
  state_ = State::kField;
  family_left_ = bytes;
  skip_left_ = 0;
  group_depth_ = 0;
  family_ = {};
  name_.clear();
  help_.clear();
  unit_.clear();
  type_ = 0;
  name_known_ = type_known_ = started_ = doomed_ = false;
  ForgetHeld();
}

void ProtobufPageReader::ForgetCarry() {
  if (!carry_done_) return;
  carry_.clear();
  carry_done_ = false;
}

void ProtobufPageReader::ForgetHeld() {
  ClearBuffer(held_);
  held_read_ = 0;
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::ReadField() {
  if (skip_left_ > 0) {
    const uint64_t skipped = std::min<uint64_t>(skip_left_, input_.size());
    input_.remove_prefix(static_cast<size_t>(skipped));
    skip_left_ -= skipped;
    family_left_ -= skipped;
    if (skip_left_ > 0) return Event::kNeedsBytes;
  }
  if (family_left_ == 0) return EndFamily();

  // The header, from what was carried over or from the input. It is at most 20 bytes long.
  Header header;
  Parsed parsed = ParseHeader(carry_.empty() ? input_ : std::string_view(carry_), header);
  while (parsed == Parsed::kNeedsBytes && !carry_.empty() && !input_.empty()) {
    carry_ += input_.front();
    input_.remove_prefix(1);
    parsed = ParseHeader(carry_, header);
  }
  if (parsed == Parsed::kFailed) return Event::kError;
  if (parsed == Parsed::kNeedsBytes) {
    carry_ += input_;
    input_ = {};
    return Event::kNeedsBytes;
  }

  if (header.skipped) {
    // What was carried is the header, and perhaps some of the payload.
    const uint64_t taken = std::max(carry_.size(), header.bytes);
    if (carry_.empty()) input_.remove_prefix(header.bytes);
    carry_.clear();
    family_left_ -= taken;
    skip_left_ = header.bytes + header.size - taken;
    return std::nullopt;
  }
  if (header.size > kFieldBytesMax) return FailWith("a field of a family is too large", false);
  const std::optional<std::string_view> field = Gather(header.bytes + header.size);
  if (!field) return Event::kNeedsBytes;
  return TakeField(header.number, field->substr(header.bytes));
}

ProtobufPageReader::Parsed ProtobufPageReader::ParseHeader(std::string_view bytes, Header& header) {
  bytes = bytes.substr(0, std::min<uint64_t>(bytes.size(), family_left_));
  const bool all_there = bytes.size() == family_left_;
  const auto needs_bytes = [&](size_t looked_at) {
    if (looked_at >= kVarintBytesMax) return FailParsing("a number is too long");
    return all_there ? FailParsing("a field ends early") : Parsed::kNeedsBytes;
  };
  uint64_t tag = 0;
  header.bytes = VarintBytes(bytes, tag);
  if (header.bytes == 0) return needs_bytes(bytes.size());
  header.number = ProtobufFieldNumber(tag);
  const WireType type = ProtobufWireType(tag);
  const bool in_group = group_depth_ > 0;
  if (!in_group && type == WireType::kGroupEnd) {
    return FailParsing("a group ends that did not begin");
  }
  if (!in_group && header.number <= 0) return FailParsing("a field number is out of range");
  header.skipped = in_group || !IsKnown(header.number);
  if (!header.skipped) {
    const WireType wanted = header.number == kType ? WireType::kVarint : WireType::kBytes;
    if (type != wanted) return FailParsing("a field has the wrong wire type");
  }

  const std::string_view rest = bytes.substr(header.bytes);
  uint64_t number = 0;
  size_t varint_bytes = 0;
  switch (type) {
    case WireType::kVarint:
      header.size = VarintBytes(rest, number);
      if (header.size == 0) return needs_bytes(rest.size());
      break;
    case WireType::kBytes:
      varint_bytes = VarintBytes(rest, header.size);
      if (varint_bytes == 0) return needs_bytes(rest.size());
      header.bytes += varint_bytes;
      break;
    case WireType::kFixed64:
      header.size = 8;
      break;
    case WireType::kFixed32:
      header.size = 4;
      break;
    case WireType::kGroupBegin:
      ++group_depth_;
      break;
    case WireType::kGroupEnd:
      --group_depth_;
      break;
    default:
      return FailParsing("a field has an unknown wire type");
  }
  if (header.size > family_left_ - header.bytes) return FailParsing("a field ends early");
  return Parsed::kDone;
}

ProtobufPageReader::Parsed ProtobufPageReader::FailParsing(const char* problem) {
  FailWith(std::string("malformed family: ") + problem, true);
  return Parsed::kFailed;
}

// The next bytes in one piece, from the input if they lie there, else gathered in carry_.
std::optional<std::string_view> ProtobufPageReader::Gather(uint64_t bytes) {
  const auto wanted = static_cast<size_t>(bytes);
  if (carry_.empty() && input_.size() >= wanted) {
    const std::string_view whole = input_.substr(0, wanted);
    input_.remove_prefix(wanted);
    family_left_ -= wanted;
    return whole;
  }
  const size_t taken = std::min(wanted - carry_.size(), input_.size());
  carry_.append(input_.data(), taken);
  input_.remove_prefix(taken);
  if (carry_.size() < wanted) return std::nullopt;
  family_left_ -= wanted;
  carry_done_ = true;
  return std::string_view(carry_);
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::TakeField(int32_t number,
                                                                       std::string_view payload) {
  std::optional<Event> event;
  uint64_t type = 0;
  switch (number) {
    case kName:
      event = TakeName(payload);
      break;
    case kHelp:
      help_ = payload;
      break;
    case kType:
      VarintBytes(payload, type);
      event = TakeType(static_cast<int32_t>(type));
      break;
    case kMetric:
      return TakeMetric(payload);
    case kUnit:
      unit_ = payload;
      break;
    default:
      break;
  }
  ForgetCarry();
  return event;
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::TakeName(std::string_view name) {
  if (started_ && !doomed_ && name != name_) {
    return FailWith("a family has a second name after its first metric", false);
  }
  if (!started_) name_ = name;
  name_known_ = true;
  return StartHeld();
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::TakeType(int32_t type) {
  if (started_ && !doomed_ && type != type_) {
    return FailWith("a family has a second type after its first metric", false);
  }
  type_ = type;
  type_known_ = true;
  return StartHeld();
}

// Once name and type are known the metrics that had to wait are handed out.
std::optional<ProtobufPageReader::Event> ProtobufPageReader::StartHeld() {
  if (started_ || !name_known_ || !type_known_ || held_.empty()) return std::nullopt;
  return StartFamily(State::kHeld);
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::TakeMetric(std::string_view bytes) {
  if (started_) return HandOut(bytes);
  if (name_known_ && type_known_) {
    pending_ = bytes;
    return StartFamily(State::kPending);
  }
  if (held_.size() + bytes.size() > kHeldBytesMax) {
    return FailWith("a family without a type has too many metrics", false);
  }
  PutVarint(held_, bytes.size());
  held_ += bytes;
  ForgetCarry();
  return std::nullopt;
}

ProtobufPageReader::Event ProtobufPageReader::StartFamily(State next) {
  if (name_.empty()) return FailWith("a family has no name", true);
  if (!IsValidUtf8(name_)) {
    return FailWith("a family's name is not UTF-8: " + Quoted(name_), true);
  }
  if (type_ < 0 || type_ > static_cast<int32_t>(ProtobufType::kGaugeHistogram)) {
    return FailWith(
        "the family " + Quoted(name_) + " has the unknown type " + std::to_string(type_), true);
  }
  family_.name = name_;
  family_.type = static_cast<ProtobufType>(type_);
  family_.help = help_;
  family_.unit = unit_;
  started_ = true;
  state_ = next;
  return Event::kFamily;
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::ReadHeld() {
  std::string_view left = std::string_view(held_).substr(held_read_);
  uint64_t size = 0;
  if (!TakeVarint(left, size)) {
    ForgetHeld();
    state_ = State::kField;
    return std::nullopt;
  }
  const std::string_view bytes = left.substr(0, size);
  held_read_ = held_.size() - left.size() + bytes.size();
  return HandOut(bytes);
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::HandOut(std::string_view bytes) {
  metric_bytes_max_ = std::max(metric_bytes_max_, bytes.size());
  if (!doomed_) {
    const Status decoded = DecodeProtobufMetric(bytes, metric_);
    if (decoded) return Event::kMetric;
    doomed_ = true;
    error_ = "family " + Quoted(name_) + ": " + decoded.error().message;
  }
  ForgetCarry();
  return std::nullopt;
}

std::optional<ProtobufPageReader::Event> ProtobufPageReader::EndFamily() {
  if (group_depth_ > 0) return FailWith("malformed family: a group does not end", true);
  if (!started_ && !held_.empty()) return StartFamily(State::kHeld);
  state_ = State::kLength;
  if (!started_) return std::nullopt;
  if (!IsValidUtf8(help_)) {
    return FailWith("the help of the family " + Quoted(name_) + " is not UTF-8", true);
  }
  if (doomed_) return FailWith(std::move(error_), false);
  family_.help = help_;
  family_.unit = unit_;
  return Event::kFamilyEnd;
}

ProtobufPageReader::Event ProtobufPageReader::FailWith(std::string message, bool never_began) {
  state_ = State::kFailed;
  error_ = std::move(message);
  never_began_ = never_began && started_;
  return Event::kError;
}

}  // namespace tributary
