#include "test/support/text_page_generator.h"

#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string_view>

namespace tributary {
namespace {

using namespace std::string_view_literals;

class Generator {
 public:
  explicit Generator(std::mt19937_64& random) : random_(random) {}

  std::string Page() {
    std::string page;
    const size_t lines = Below(8);
    // Few pages would be read to their end if every line could be broken.
    const bool broken = OneIn(2);
    for (size_t i = 0; i < lines; ++i) {
      std::string line = Line();
      if (broken && OneIn(3)) Break(line);
      page += line;
      if (i + 1 < lines || !OneIn(4)) page += '\n';
    }
    return page;
  }

  std::string Number() {
    switch (Below(14)) {
      case 0:
        return Any({"NaN"sv,
                    "nan"sv,
                    "+Inf"sv,
                    "-Inf"sv,
                    "Inf"sv,
                    "inF"sv,
                    "Infinity"sv,
                    "-infinitY"sv,
                    "+NaN"sv,
                    "infi"sv,
                    "0x1p-2"sv,
                    "1_000"sv,
                    "1e999"sv,
                    "-1e999"sv,
                    "1e-999"sv,
                    "4.9e-324"sv,
                    "-0"sv,
                    "."sv,
                    "-"sv,
                    "1e"sv,
                    "e1"sv,
                    "1e+"sv,
                    "0x1"sv,
                    "1.2.3"sv,
                    "--1"sv,
                    "1,5"sv,
                    "5."sv,
                    ".5"sv,
                    "+.5e-1"sv,
                    "1.7976931348623157e308"sv,
                    "1.7976931348623159e308"sv,
                    "2.4703282292062327e-324"sv,
                    "2.4703282292062328e-324"sv,
                    "9007199254740993"sv,
                    "0x_1p1"sv,
                    "1__0"sv,
                    "0e99999999999"sv});
      case 1:
      case 2: {
        std::string digits = Sign();
        for (size_t i = Below(25); i > 0; --i) digits += Digit();
        if (OneIn(2)) digits += '.';
        for (size_t i = Below(25); i > 0; --i) digits += Digit();
        if (OneIn(3)) digits += "e" + Sign() + std::to_string(Below(OneIn(3) ? 400 : 30));
        return digits;
      }
      case 3:
      case 4: {
        char text[64];
        std::snprintf(text, sizeof text, "%.17g", Uniform() * 1e6);
        return text;
      }
      default:
        return Sign() + std::to_string(Below(100000)) +
               (OneIn(2) ? "." + std::to_string(Below(1000)) : "");
    }
  }

 private:
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(random_() % n); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  double Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  char Digit() { return static_cast<char>('0' + Below(10)); }
  std::string Sign() { return OneIn(6) ? "-" : OneIn(12) ? "+" : ""; }
  std::string Any(std::initializer_list<std::string_view> choices) {
    return std::string(
        *std::next(choices.begin(), static_cast<std::ptrdiff_t>(Below(choices.size()))));
  }

  std::string Blanks() { return Any({""sv, ""sv, ""sv, " "sv, "\t"sv, "  \t"sv}); }
  std::string Gap() { return Any({" "sv, " "sv, " "sv, "\t"sv, "  "sv, ""sv}); }

  std::string Name() {
    return std::string(
        Any({"m"sv, "up"sv, "a_b"sv, ":c"sv, "n9"sv, "__x"sv, "le"sv, "quantile"sv, "h_bucket"sv}));
  }

  std::string Quoted() {
    std::string text = "\"";
    for (size_t i = Below(6); i > 0; --i) {
      text += Any({"a"sv, "b.c"sv, "1"sv, "\\n"sv, "\\\\"sv, "\\\""sv, "\\x"sv, "ü"sv, "{"sv, "}"sv,
                   ","sv, " "sv, "="sv, "some longer text to fill a word "sv, "#"sv});
      if (OneIn(40)) text += Any({"\0"sv, "\n"sv, "\xff"sv, "\\\0"sv, "\r"sv});
    }
    return text + "\"" + (OneIn(60) ? std::string("\0", 1) : "");
  }

  std::string Label() {
    if (OneIn(8)) return Name() + "=\"" + Number() + "\"";
    const std::string name =
        OneIn(5) ? Quoted() : Any({"a"sv, "b"sv, "le"sv, "quantile"sv, "job"sv});
    return name + Blanks() + "=" + Blanks() + Quoted();
  }

  std::string Series() {
    const bool quoted_name = OneIn(4);
    std::string text = quoted_name ? "" : Name();
    if (!quoted_name && OneIn(3)) return text;
    text += Blanks() + "{" + Blanks();
    if (quoted_name && !OneIn(3)) text += Quoted() + Blanks() + Any({","sv, ","sv, ""sv});
    for (size_t i = Below(4); i > 0; --i)
      text += Label() + Blanks() + Any({","sv, ","sv, ","sv, ""sv}) + Blanks();
    if (quoted_name && OneIn(3)) text += Quoted();
    return text + "}";
  }

  std::string Timestamp() {
    return OneIn(6) ? Any({"9223372036854775807"sv, "9223372036854775808"sv, "-5"sv, "1.5"sv,
                           "now"sv, "007"sv, "99999999999999999999"sv, "1712345678901"sv})
                    : std::to_string(Below(2000000000000));
  }

  std::string Line() {
    switch (Below(10)) {
      case 0:
        return Blanks();
      case 1:
        return Blanks() + "#" + Blanks() +
               Any({"x y"sv, ""sv, "HELP"sv, "TYPEx"sv, "HTYPE m gauge"sv, "THELP m x"sv, "H"sv,
                    "TYPE \""sv});
      case 2:
        return Blanks() + "# TYPE" + Gap() + (OneIn(4) ? Quoted() : Name()) + Gap() +
               Any({"counter"sv, "gauge"sv, "histogram"sv, "summary"sv, "untyped"sv,
                    "histogram"sv});
      case 3:
        return "# HELP " + (OneIn(4) ? Quoted() : Name()) + Gap() +
               std::string(
                   Any({"text"sv, "te\\nxt\\\\ \\x"sv, ""sv, " "sv, "\xff"sv, "\0x"sv, "\\"sv}));
      default:
        break;
    }
    return (OneIn(8) ? Blanks() : "") + Series() + Gap() + Number() +
           (OneIn(4) ? Gap() + Timestamp() : "") + Blanks();
  }

  void Break(std::string& line) {
    const size_t at = Below(line.size() + 1);
    const std::string piece =
        Any({"\""sv, "\\"sv, "{"sv, "}"sv, ","sv, "="sv, " "sv, "\0"sv, "\n"sv, "\r"sv, "\xff"sv,
             "#"sv, "1"sv, "a"sv, "\0\0"sv, "-"sv, "\t"sv});
    if (OneIn(2) || at == line.size()) {
      line.insert(at, piece);
    } else if (OneIn(2)) {
      line.erase(at, 1 + Below(3));
    } else {
      line.replace(at, 1, piece);
    }
  }

  std::mt19937_64& random_;
};

}  // namespace

std::string RandomTextPage(std::mt19937_64& random) { return Generator(random).Page(); }
std::string RandomNumberText(std::mt19937_64& random) { return Generator(random).Number(); }

}  // namespace tributary
