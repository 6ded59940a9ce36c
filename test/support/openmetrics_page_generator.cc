#include "test/support/openmetrics_page_generator.h"

#include <cstdint>
#include <iterator>
#include <string_view>

#include "test/support/text_page_generator.h"

namespace tributary {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

class Generator {
 public:
  explicit Generator(std::mt19937_64& random) : random_(random) {}

  std::string Page() {
    std::string page;
    // Few pages would be read to their end if every line could be broken.
    const bool broken = OneIn(2);
    for (size_t i = Below(5); i > 0; --i) {
      if (OneIn(3)) {
        page += Family();
        continue;
      }
      std::string line = Line();
      if (broken && OneIn(3)) Break(line);
      page += line + '\n';
      if (broken && OneIn(30)) page += std::string(1 + Below(2), '\0');
    }
    page += OneIn(20) ? End() : "# EOF\n"s;
    if (broken && OneIn(6)) Break(page);
    return page;
  }

 private:
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(random_() % n); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  std::string Any(std::initializer_list<std::string_view> choices) {
    return std::string(
        *std::next(choices.begin(), static_cast<std::ptrdiff_t>(Below(choices.size()))));
  }

  std::string End() {
    return Any({""sv, "# EOF"sv, "# EOF\n\n"sv, "# EOF \n"sv, "# EOF\na 1\n"sv, "# EOF\0\n\0\0"sv,
                "# E\0OF"sv, "# \0EOF"sv, "# EOFx"sv, "#EOF\n"sv, "a 1"sv, "a 1 "sv, "a 1 5"sv,
                "# HELP a b"sv, "a 1 # {} 1"sv, "\0"sv});
  }

  std::string Name() {
    return Any({"m"sv, "up"sv, "a_b"sv, ":c"sv, "n9"sv, "__x"sv, "h_bucket"sv, "c_total"sv,
                "c_created"sv, "_created"sv, "t_seconds"sv});
  }

  std::string Quoted() {
    std::string text = "\"";
    for (size_t i = Below(6); i > 0; --i) {
      text += Any({"a"sv, "b.c"sv, "1"sv, "\\n"sv, "\\\\"sv, "\\\""sv, "\\x"sv, "ü"sv, "{"sv, "}"sv,
                   ","sv, " "sv, "="sv, "some longer text to fill a word "sv, "#"sv, " # {"sv});
      if (OneIn(40)) text += Any({"\0"sv, "\n"sv, "\xff"sv, "\\\0"sv, "\r"sv, "_created"sv});
    }
    if (OneIn(60)) text += std::string(Below(150), 'x');
    return text + "\"" + (OneIn(80) ? std::string("\0", 1) : "");
  }

  std::string Number() { return RandomNumberText(random_); }

  std::string Seconds() {
    switch (Below(10)) {
      case 0:
        return Any({"9223372036854775"sv,
                    "9223372036854775.807"sv,
                    "9223372036854775.808"sv,
                    "-9223372036854775.808"sv,
                    "-9223372036854775.81"sv,
                    "1e300"sv,
                    "-1e300"sv,
                    "1e306"sv,
                    "NaN"sv,
                    "Inf"sv,
                    "-Inf"sv,
                    "1e3"sv,
                    "-5"sv,
                    "0"sv,
                    "-0"sv,
                    "007"sv,
                    "0.0009999"sv,
                    "-0.0019999"sv,
                    "1.7976931348623157e308"sv,
                    "#"sv,
                    "now"sv});
      case 1:
        return Number();
      default:
        return std::to_string(Below(2'000'000'000)) +
               (OneIn(3) ? "" : "." + std::to_string(Below(1000)));
    }
  }

  std::string Label() {
    if (OneIn(8)) return Any({"le"sv, "quantile"sv}) + "=\"" + Number() + "\"";
    return (OneIn(5) ? Quoted() : Any({"a"sv, "b"sv, "le"sv, "quantile"sv, "job"sv})) + "=" +
           Quoted();
  }

  std::string Labels() {
    std::string text;
    for (size_t i = Below(4); i > 0; --i) text += Label() + (i > 1 || OneIn(6) ? "," : "");
    return text;
  }

  std::string Series() {
    if (OneIn(4)) {
      const std::string first = OneIn(4) ? Label() + "," : "";
      return "{" + first + Quoted() + (OneIn(2) ? "" : "," + Labels()) + "}";
    }
    return OneIn(3) ? Name() : Name() + "{" + Labels() + "}";
  }

  std::string Exemplar() {
    return " # {" + Labels() + "} " + Number() + (OneIn(2) ? "" : " " + Seconds());
  }

  std::string Line() {
    switch (Below(10)) {
      case 0: {
        const std::string name = OneIn(4) ? Quoted() : Name();
        return "# TYPE " + name + " " +
               Any({"counter"sv, "gauge"sv, "histogram"sv, "summary"sv, "unknown"sv,
                    "gaugehistogram"sv, "info"sv, "stateset"sv, "histogram"sv, "counter"sv});
      }
      case 1:
        return "# HELP " + (OneIn(4) ? Quoted() : Name()) + " " +
               Any({"text"sv, "te\\nxt\\\\ \\x \\\""sv, ""sv, " "sv, "\xff"sv, "\0x"sv, "\\"sv});
      case 2:
        return "# UNIT " + (OneIn(4) ? "\"a_b.s\""s : Any({"t_seconds"sv, "m"sv, "_s"sv, "s"sv})) +
               " " + Any({"seconds"sv, ""sv, "s"sv, "b.s"sv, "t_seconds"sv});
      case 3:
        return OneIn(4) ? Any({""sv, "#"sv, "# x"sv, "# HELP"sv, "# UNIT m"sv, "# TYPE m untyped"sv,
                               " m 1"sv, "m  1"sv, "m 1 "sv, "m 1 # x"sv, "m 1 #"sv, "m 1\0"sv,
                               "m 1 2 "sv, "m 1 # {a} 1"sv, "m 1 # {\"a\"} 1"sv, "m\t1"sv})
                        : "m 1"s;
      default:
        return Series() + " " + Number() + (OneIn(3) ? " " + Seconds() : "") +
               (OneIn(4) ? Exemplar() : "");
    }
  }

  // With _created lines before, between and after its samples.
  std::string Family() {
    const bool quoted = OneIn(4);
    const std::string name = Any({"c"sv, "fam"sv, "a_b"sv});
    const std::string type = Any({"counter"sv, "histogram"sv, "summary"sv, "counter"sv, "gauge"sv});
    std::string page = "# TYPE " + (quoted ? "\"" + name + "\"" : name) + " " + type + "\n";
    for (size_t i = Below(9); i > 0; --i) {
      const std::string suffix =
          OneIn(3) ? "_created" : Any({"_total"sv, "_count"sv, "_sum"sv, ""sv, "_bucket"sv});
      const std::string labels = Any({""sv, ""sv, "a=\"1\""sv, "a=\"2\""sv, "le=\"1\""sv,
                                      "a=\"1\",le=\"2\""sv, "quantile=\"1\",a=\"1\""sv});
      if (quoted) {
        page += OneIn(6)
                    ? "{" + labels + (labels.empty() ? "" : ",") + "\"" + name + suffix + "\"}"
                    : "{\"" + name + suffix + "\"" + (labels.empty() ? "" : ",") + labels + "}";
      } else {
        page += name + suffix + (labels.empty() ? "" : "{" + labels + "}");
      }
      page += " " + Any({"1520872607.123"sv, "1"sv, "0"sv, "-1"sv, "17.5"sv}) +
              (OneIn(8) ? Exemplar() : "") + "\n";
      if (OneIn(20)) page += "# HELP " + name + "x y\n";
    }
    return page;
  }

  void Break(std::string& text) {
    const size_t at = Below(text.size() + 1);
    const std::string piece =
        Any({"\""sv, "\\"sv, "{"sv, "}"sv, ","sv, "="sv, " "sv, "\0"sv, "\n"sv, "\r"sv, "\xff"sv,
             "#"sv, "1"sv, "a"sv, "\0\0"sv, "-"sv, "\t"sv, " # {"sv});
    if (OneIn(2) || at == text.size()) {
      text.insert(at, piece);
    } else if (OneIn(2)) {
      text.erase(at, 1 + Below(3));
    } else {
      text.replace(at, 1, piece);
    }
  }

  std::mt19937_64& random_;
};

}  // namespace

std::string RandomOpenMetricsPage(std::mt19937_64& random) { return Generator(random).Page(); }

}  // namespace tributary
