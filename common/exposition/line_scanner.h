// What the parsers of both text formats share: a place in a line that steps over names and quoted
// text, and the message about what was refused there. Internal to this folder. Inlined, as series
// at first sight and exemplars are read byte by byte with it. No state but the place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/base/utf8.h"

namespace tributary {

enum : uint8_t { kLabelStart = 1, kLabelByte = 2, kMetricStart = 4, kMetricByte = 8 };

constexpr std::array<uint8_t, 256> MakeNameClasses() {
  std::array<uint8_t, 256> classes{};
  constexpr uint8_t kLetter = kLabelStart | kLabelByte | kMetricStart | kMetricByte;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = kLetter;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = kLetter;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kLabelByte | kMetricByte;
  classes['_'] = kLetter;
  classes[':'] = kMetricStart | kMetricByte;
  return classes;
}

inline constexpr std::array<uint8_t, 256> kNameClasses = MakeNameClasses();

// Functions that return bool leave the place at what they refused.
class LineScanner {
 public:
  explicit LineScanner(std::string_view line)
      : begin_(line.data()), p_(begin_), end_(begin_ + line.size()) {}

  // Whether what was refused are quotes that the line does not close.
  bool ended_in_quotes() const { return ended_in_quotes_; }
  // What was expected, and the place.
  std::string Describe() const;

 protected:
  // What quotes may hold beside text, which depends on the format and the place: raw newlines; NUL
  // bytes (the lexer jumps over them when it steps to the next byte).
  enum class Newlines : bool { kRefuse, kTake };
  enum class Nuls : bool { kRefuse, kSkip };

  static std::string_view View(const char* begin, const char* end) {
    return {begin, static_cast<size_t>(end - begin)};
  }

  bool AtEnd() const { return p_ == end_; }
  bool At(char c) const { return p_ != end_ && *p_ == c; }
  bool AtClass(uint8_t kind) const {
    return p_ != end_ && (kNameClasses[static_cast<unsigned char>(*p_)] & kind) != 0;
  }

  void SkipNuls() {
    while (At('\0')) ++p_;
  }
  void StepOverNuls() {
    ++p_;
    SkipNuls();
  }
  // Bytes of a class from here on; the first is known to be good.
  std::string_view TakeClass(uint8_t kind) {
    const char* start = p_;
    while (AtClass(kind)) ++p_;
    return View(start, p_);
  }
  bool Expect(const char* problem) {
    problem_ = problem;
    return false;
  }

  // Quotes around a name, escapes as they are; NUL bytes are refused.
  template <Newlines newlines = Newlines::kTake>
  bool Quoted(std::string_view& inside) {
    const char* start = ++p_;
    for (; !At('"'); ++p_) {
      if (At('\\')) {
        ++p_;
        if (AtEnd() || *p_ == '\n') return Expect("expected the rest of an escape");
      }
      if (AtEnd()) {
        ended_in_quotes_ = newlines == Newlines::kTake;
        return Expect("expected a closing quote");
      }
      if (*p_ == '\0') return Expect("expected no NUL byte in a name");
      if (newlines == Newlines::kRefuse && *p_ == '\n') return Expect("expected a closing quote");
    }
    inside = View(start, p_);
    ++p_;
    return true;
  }

  // Quotes around a label's value, escapes as they are: UTF-8. Where one is refused,
  // LookForOddBytes has been called. Where NUL bytes are skipped, those
  // after the closing quote are taken for part of the token, of which the last byte is then cut off
  // instead of the quote.
  template <Newlines newlines, Nuls nuls>
  bool QuotedValue(std::string_view& inside) {
    const char* start = ++p_;
    uint64_t all = 0;
    while (true) {
      for (uint64_t word = 0; end_ - p_ >= 8; p_ += 8) {
        std::memcpy(&word, p_, 8);
        if (HasByte(word, '"') || HasByte(word, '\\')) break;
        all |= word;
      }
      if (AtEnd()) {
        ended_in_quotes_ = newlines == Newlines::kTake;
        return Expect("expected a closing quote");
      }
      all |= static_cast<unsigned char>(*p_);
      if (*p_ == '"') break;
      if (*p_ == '\\') {
        ++p_;
        if (nuls == Nuls::kSkip) SkipNuls();
        if (AtEnd() || *p_ == '\n' || *p_ == '\0') return Expect("expected the rest of an escape");
        all |= static_cast<unsigned char>(*p_);
      }
      ++p_;
    }
    ++p_;
    if (nuls == Nuls::kSkip) SkipNuls();
    inside = View(start, p_ - 1);
    if (has_odd_bytes_) {
      if (newlines == Newlines::kRefuse && inside.find('\n') != std::string_view::npos) {
        return Expect("expected no newline in the label value before");
      }
      if (nuls == Nuls::kRefuse && inside.find('\0') != std::string_view::npos) {
        return Expect("expected no NUL byte in the label value before");
      }
    }
    if ((all & 0x8080808080808080) != 0 && !IsValidUtf8(inside)) {
      return Expect("expected valid UTF-8 in the label value before");
    }
    return true;
  }

  // Once before the values that refuse newlines or NUL bytes: next to no line has one.
  void LookForOddBytes() {
    const std::string_view rest = View(p_, end_);
    has_odd_bytes_ =
        rest.find('\n') != std::string_view::npos || rest.find('\0') != std::string_view::npos;
  }

  const char* begin_;
  const char* p_;
  const char* end_;

 private:
  // Whether any of the eight bytes is `c`.
  static bool HasByte(uint64_t word, char c) {
    constexpr uint64_t kOnes = 0x0101010101010101;
    constexpr uint64_t kHighs = 0x8080808080808080;
    const uint64_t x = word ^ (kOnes * static_cast<unsigned char>(c));
    return ((x - kOnes) & ~x & kHighs) != 0;
  }

  bool ended_in_quotes_ = false;
  bool has_odd_bytes_ = false;
  const char* problem_ = "";
};

}  // namespace tributary
