#include "common/dns/message.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

namespace tributary {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr int kNameBytesMax = 255;
// A name of 255 bytes has no more labels than this, and needs no more pointers.
constexpr int kPointersMax = 126;

// Reads forward through the message; what is not there makes it fail, and nothing is read then.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool Skip(size_t count) {
    if (count > bytes_.size() - at_) return false;
    at_ += count;
    return true;
  }
  std::optional<uint8_t> Byte() {
    if (at_ == bytes_.size()) return std::nullopt;
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  std::optional<uint16_t> Word() {
    if (bytes_.size() - at_ < 2) return std::nullopt;
    const auto high = static_cast<uint8_t>(bytes_[at_]);
    const auto low = static_cast<uint8_t>(bytes_[at_ + 1]);
    at_ += 2;
    return static_cast<uint16_t>(high << 8 | low);
  }
  std::optional<std::string_view> Take(size_t count) {
    const size_t begin = at_;
    if (!Skip(count)) return std::nullopt;
    return bytes_.substr(begin, count);
  }
  // A name, which may go on anywhere in the message.
  std::optional<std::string> Name();
  size_t at() const { return at_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

void AppendLabel(std::string_view label, std::string& name) {
  for (const char c : label) {
    if (std::string_view(". '@;()\"\\").find(c) != std::string_view::npos) {
      name += '\\';
      name += c;
    } else if (c < ' ' || c > '~') {
      name += fmt::format("\\{:03}", static_cast<unsigned char>(c));
    } else {
      name += c;
    }
  }
  name += '.';
}

std::optional<std::string> Cursor::Name() {
  std::string name;
  Cursor reader = *this;
  int budget = kNameBytesMax;
  int pointers = 0;
  while (true) {
    const std::optional<uint8_t> length = reader.Byte();
    if (!length) return std::nullopt;
    if (*length == 0) break;
    if ((*length & 0xC0) == 0xC0) {
      const std::optional<uint8_t> low = reader.Byte();
      if (!low || ++pointers > kPointersMax) return std::nullopt;
      if (pointers == 1) at_ = reader.at_;
      reader.at_ = 0;
      if (!reader.Skip(static_cast<size_t>((*length & 0x3F) << 8 | *low))) return std::nullopt;
    } else if ((*length & 0xC0) != 0) {
      return std::nullopt;
    } else {
      const std::optional<std::string_view> label = reader.Take(*length);
      budget -= *length + 1;
      if (!label || budget <= 0) return std::nullopt;
      AppendLabel(*label, name);
    }
  }
  if (pointers == 0) at_ = reader.at_;
  return name.empty() ? "." : name;
}

std::string Ipv4Text(std::string_view bytes) {
  const auto byte = [bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  return fmt::format("{}.{}.{}.{}", byte(0), byte(1), byte(2), byte(3));
}

// The longest run of two or more zero groups, the first of equal ones, as RFC 5952 shortens it.
struct ZeroRun {
  size_t begin = 0;
  size_t length = 0;
};
ZeroRun LongestZeroRun(const std::array<uint16_t, 8>& groups) {
  ZeroRun longest;
  ZeroRun run;
  for (size_t i = 0; i < groups.size(); i++) {
    run = groups[i] != 0 ? ZeroRun{i + 1, 0} : ZeroRun{run.begin, run.length + 1};
    if (run.length > std::max<size_t>(longest.length, 1)) longest = run;
  }
  return longest;
}

// As Go prints it: addresses of IPv4 in IPv6 as those of IPv4.
std::string Ipv6Text(std::string_view bytes) {
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (bytes.starts_with(kMapped)) return Ipv4Text(bytes.substr(kMapped.size()));
  std::array<uint16_t, 8> groups;
  for (size_t i = 0; i < groups.size(); i++) {
    groups[i] = static_cast<uint16_t>(static_cast<unsigned char>(bytes[2 * i]) << 8 |
                                      static_cast<unsigned char>(bytes[2 * i + 1]));
  }
  const ZeroRun zeros = LongestZeroRun(groups);
  std::string text;
  for (size_t i = 0; i < groups.size(); i++) {
    if (zeros.length > 0 && i == zeros.begin) {
      text += "::";
      i += zeros.length - 1;
      continue;
    }
    if (!text.empty() && !text.ends_with(':')) text += ':';
    text += fmt::format("{:x}", groups[i]);
  }
  return text;
}

// The data of a record, up to `end`.
bool ReadData(Cursor& cursor, size_t end, DnsRecord& record) {
  std::optional<std::string> value;
  switch (static_cast<DnsType>(record.type)) {
    case DnsType::kA:
    case DnsType::kAaaa: {
      const bool v4 = record.type == static_cast<uint16_t>(DnsType::kA);
      const auto address = cursor.Take(v4 ? 4 : 16);
      if (address) value = v4 ? Ipv4Text(*address) : Ipv6Text(*address);
      break;
    }
    case DnsType::kNs:
      value = cursor.Name();
      break;
    case DnsType::kMx:
      if (cursor.Skip(2)) value = cursor.Name();  // the preference
      break;
    case DnsType::kSrv: {
      if (!cursor.Skip(4)) return false;  // priority and weight
      const auto port = cursor.Word();
      if (!port) return false;
      record.port = *port;
      value = cursor.Name();
      break;
    }
    default:
      return cursor.Skip(end - cursor.at());
  }
  if (!value || cursor.at() != end) return false;
  record.value = std::move(*value);
  return true;
}

bool ReadRecord(Cursor& cursor, DnsRecord& record) {
  if (!cursor.Name()) return false;
  const auto type = cursor.Word();
  if (!type || !cursor.Skip(6)) return false;  // class and time to live
  const auto length = cursor.Word();
  if (!length) return false;
  record.type = *type;
  Cursor data = cursor;
  const size_t end = cursor.at() + *length;
  return cursor.Skip(*length) && ReadData(data, end, record);
}

}  // namespace

Result<DnsMessage> ParseDnsMessage(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return Fail("the answer is cut off");
  Cursor cursor(bytes);
  cursor.Skip(2);  // its number
  const uint16_t flags = *cursor.Word();
  const uint16_t questions = *cursor.Word();
  const uint16_t answers = *cursor.Word();
  cursor.Skip(4);  // how many records follow the answers
  DnsMessage message;
  message.rcode = flags & 0xF;
  message.truncated = (flags & 0x0200) != 0;
  for (int i = 0; i < questions; i++) {
    if (!cursor.Name() || !cursor.Skip(4)) return Fail("the answer's question cannot be read");
  }
  for (int i = 0; i < answers; i++) {
    DnsRecord record;
    if (!ReadRecord(cursor, record)) {
      return Fail(fmt::format("record {} of the answer cannot be read", i));
    }
    message.answers.push_back(std::move(record));
  }
  return message;
}

}  // namespace tributary
