// Labels as people type, paste and pipe them.
#include "tools/agentctl/label_input.h"

#include <cstdio>
#include <memory>

#include "common/exposition/text_parser.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

// As Labels prints them, or "error: ...".
std::string Read(std::string_view text, std::string_view type = {}) {
  const Result<LabelInput> input = ParseLabelInput(text, type);
  return input ? input->labels.ToString() : "error: " + input.error().message;
}

TEST_CASE("agentctl: labels are read in every form in which people find them") {
  for (const char* text : {R"({a="b", c="d"})", R"({a="b",c="d",})", R"( { a = "b" , "c" = "d" } )",
                           R"({"a": "b", "c": "d"})", R"({c="d",a="b"})"}) {
    CAPTURE(text);
    CHECK(Read(text) == R"({a="b", c="d"})");
  }
  for (const char* text :
       {R"(up{a="b"})", R"(up{a="b"} 1)", R"(up{a="b"} 1 1712345678901)", R"({"up",a="b"})",
        R"({"up",a="b"} NaN)", R"({__name__="up", a="b"})", R"({"__name__":"up","a":"b"})"}) {
    CAPTURE(text);
    CHECK(Read(text) == R"({__name__="up", a="b"})");
  }
  CHECK(Read("up") == R"({__name__="up"})");
  CHECK(Read("{}") == "{}");
  CHECK(Read(R"({a="q\"b\\n\nc"})") == R"({a="q\"b\\n\nc"})");
}

TEST_CASE("agentctl: the type of a page decides how le is written") {
  CHECK(Read(R"(m{le="1"})") == R"({__name__="m", le="1"})");
  CHECK(Read(R"(m{le="1"})", "histogram") == R"({__name__="m", le="1.0"})");
}

TEST_CASE("agentctl: names given with an empty value are remembered") {
  for (const char* text : {R"(up{a="",b="c"})", R"({__name__="up",a="",b="c"})",
                           R"({"__name__":"up","a":"","b":"c"})"}) {
    CAPTURE(text);
    const Result<LabelInput> input = ParseLabelInput(text);
    REQUIRE(input);
    CHECK(input->labels == Labels{{"__name__", "up"}, {"b", "c"}});
    CHECK(input->emptied == std::vector<std::string>{"a"});
  }
}

TEST_CASE("agentctl: what are no labels is refused, with what was expected") {
  for (const auto& [text, wrong] :
       std::vector<std::pair<const char*, const char*>>{{"", "no labels"},
                                                        {"{a=~\"b\"}", "in double quotes"},
                                                        {"{a=b}", "in double quotes"},
                                                        {"{a}", "expected '='"},
                                                        {"{a=\"b\"", "',' or '}' at the end"},
                                                        {"{a=\"b\" c=\"d\"}", "',' or '}' at"},
                                                        {"{a=\"b\"} x", "nothing after '}'"},
                                                        {"{a=\"b}", "closing quote"},
                                                        {"{=\"b\"}", "a label's name"},
                                                        {"{a=\"b\",a=\"c\"}", "twice"},
                                                        {"{\"a\": 1}", "not text"},
                                                        {"up{a=b}", "expected"},
                                                        {"up{a=\"b\"", "expected"},
                                                        {"# HELP up x", "expected a series"},
                                                        {"up 1 2 3", "expected"}}) {
    CAPTURE(text);
    const std::string read = Read(text);
    CHECK(read.find("error: ") == 0);
    CHECK(read.find(wrong) != std::string::npos);
  }
}

// What comes of a file with this content, a line for each input.
std::string ReadAll(const std::string& content) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      fmemopen(const_cast<char*>(content.data()), content.size(), "r"), std::fclose);
  REQUIRE(file != nullptr);
  std::string out;
  ReadInputs(file.get(), [&](Result<LabelInput> input) {
    out += input ? input->labels.ToString() : input.error().message;
    out += "\n";
  });
  return out;
}

TEST_CASE("agentctl: a whole page can be piped in") {
  CHECK(ReadAll("# HELP m x\n# TYPE m histogram\nm_bucket{le=\"1\"} 5\r\n\n  {a=\"b\"}\nup") ==
        "{__name__=\"m_bucket\", le=\"1.0\"}\n{a=\"b\"}\n{__name__=\"up\"}\n");
  CHECK(ReadAll("\n") == "");
}

TEST_CASE("agentctl: a line of standard input that is wrong is named, and the next one read") {
  CHECK(ReadAll("up\n{a}\nup\n").find("line 2: expected '='") != std::string::npos);
  const std::string long_line = "up{a=\"" + std::string(kInputLineBytesMax, 'x') + "\"} 1\nup\n";
  CHECK(ReadAll(long_line) == "line 1: longer than 4194304 bytes\n{__name__=\"up\"}\n");
}

TEST_CASE("agentctl: series are shown as a page has them, and read back") {
  for (const Labels& labels : std::vector<Labels>{{{"__name__", "up"}},
                                                  {{"__name__", "up"}, {"a", "b\"c\\d\ne"}},
                                                  {{"__name__", "a b"}, {"c d", "é"}},
                                                  {{"__name__", "é"}},
                                                  {{"a", "b"}, {"c", "d"}},
                                                  {}}) {
    const std::string text = FormatSeries(labels);
    CAPTURE(text);
    const Result<LabelInput> input = ParseLabelInput(text);
    REQUIRE(input);
    CHECK(input->labels == labels);
  }
  CHECK(FormatSeries({{"__name__", "up"}, {"a", "\x1b[31m"}}) == R"(up{a="\x1b[31m"})");
}

}  // namespace
}  // namespace tributary
