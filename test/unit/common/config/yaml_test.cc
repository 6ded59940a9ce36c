#include "common/yaml/yaml.h"

#include <random>
#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

// The tree in one line: scalars quoted with ' if they were quoted, ~ for null.
std::string Show(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "~";
    case YamlNode::Kind::kScalar:
      return node.quoted ? "'" + node.text + "'" : node.text;
    case YamlNode::Kind::kList:
      for (const YamlNode& element : node.list) out += (out.empty() ? "" : ",") + Show(element);
      return "[" + out + "]";
    case YamlNode::Kind::kMap:
      for (const YamlEntry& entry : node.map) {
        out += (out.empty() ? "" : ",") + entry.key + ":" + Show(entry.value);
      }
      return "{" + out + "}";
  }
  return out;
}

std::string Problem(const YamlDocument& document) {
  REQUIRE_FALSE(document.problems.empty());
  const YamlProblem& problem = document.problems.front();
  return std::to_string(problem.line) + ":" + std::to_string(problem.column) + " " +
         problem.message;
}

TEST_CASE("yaml: builds the tree of a document") {
  CHECK(Show(ParseYaml("").root) == "~");
  CHECK(Show(ParseYaml("# nothing\n").root) == "~");
  CHECK(Show(ParseYaml("---\na: 1\n").root) == "{a:1}");
  CHECK(Show(ParseYaml("a:\n- b\n- 'c'\n- \"d\"\n- |\n  e\n- {f: g, h: }\n").root) ==
        "{a:[b,'c','d','e\n',{f:g,h:~}]}");
  CHECK(Show(ParseYaml("{a: ~, b: null, c: '', d: !!str 5, 5: x, ? k : v}").root) ==
        "{a:~,b:~,c:'',d:'5',5:x,k:v}");
  CHECK(Show(ParseYaml("[{\"targets\": [\"a:1\"], \"labels\": {\"x\": \"y\"}}]").root) ==
        "[{targets:['a:1'],labels:{x:'y'}}]");
  CHECK(Show(ParseYaml("\xEF\xBB\xBF"
                       "a: b\r\nc: d\r\n")
                 .root) == "{a:b,c:d}");
}

TEST_CASE("yaml: lines and columns count from 1 and point at keys and values") {
  YamlDocument document = ParseYaml("# first\na:\n  b: c\n  d: [e,\n      f]\n");
  REQUIRE(document.complete);
  const YamlEntry& a = document.root.map[0];
  CHECK(a.line == 2);
  CHECK(a.column == 1);
  const YamlEntry& b = a.value.map[0];
  CHECK(b.line == 3);
  CHECK(b.column == 3);
  CHECK(b.value.column == 6);
  const YamlNode& f = a.value.map[1].value.list[1];
  CHECK(f.line == 5);
  CHECK(f.column == 7);
}

TEST_CASE("yaml: anchors, aliases and merge keys are resolved") {
  CHECK(Show(ParseYaml("{a: &x 5s, b: *x}").root) == "{a:5s,b:5s}");
  CHECK(Show(ParseYaml("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n").root) ==
        "{a:{p:1,q:2},b:{p:1,q:3}}");
  // As in go-yaml v2, what stands later wins, also if it is the merge.
  CHECK(Show(ParseYaml("a: &x {p: 1}\nb:\n  p: 3\n  <<: *x\n").root) == "{a:{p:1},b:{p:1}}");
  CHECK(Show(ParseYaml("a: &x {p: 1}\nc: &y {p: 2, r: 4}\nb:\n  <<: [*x, *y]\n").root) ==
        "{a:{p:1},c:{p:2,r:4},b:{p:1,r:4}}");
  CHECK(Show(ParseYaml("\"<<\": 5").root) == "{<<:5}");
  CHECK(Problem(ParseYaml("a: 1\n<<: 5\n")).starts_with("2:1 '<<' needs"));
}

TEST_CASE("yaml: a question mark is a letter like any other in flow collections") {
  CHECK(Show(ParseYaml("{regex: (ab)?, url: http://a?b=c, k: a?}").root) ==
        "{regex:(ab)?,url:http://a?b=c,k:a?}");
  CHECK(Show(ParseYaml("[a?, 'b?', \"?\", ?c]").root).starts_with("[a?,'b?','?',"));
  CHECK(Show(ParseYaml("? a\n: b ? c\nd: |\n  e?\n").root) == "{a:b ? c,d:'e?\n'}");
}

TEST_CASE("yaml: a key that stands twice is reported where it stands the second time") {
  YamlDocument document = ParseYaml("a:\n  b: 1\n  c: 2\n  b: 3\n");
  CHECK(document.complete);
  CHECK(document.failed());
  CHECK(Problem(document) == "4:3 the key 'b' is given twice in the same map");
  CHECK(ParseYaml("a: {b: 1}\nc: {b: 2}\n").problems.empty());
}

TEST_CASE("yaml: what is not YAML is a problem with its place") {
  CHECK(Problem(ParseYaml("a:\n\t- b\n")) == "2:2 a tab cannot indent in YAML; use spaces");
  CHECK(Problem(ParseYaml("a: \"b\nc: d\n")).find("not valid YAML") != std::string::npos);
  for (const char* text : {"a: \"b\nc: d\n", "a: 'b\nc: d", "a: \"b", "a: {b: c\n", "a: ["}) {
    CAPTURE(text);
    YamlDocument document = ParseYaml(text);
    CHECK_FALSE(document.complete);
    CHECK(document.failed());
  }
  CHECK(Problem(ParseYaml("a: b\nc: [d\n")).find("not valid YAML") != std::string::npos);
  CHECK(Problem(ParseYaml("a: *nowhere\n")).starts_with("1:4 "));
  CHECK(Problem(ParseYaml("a: b\n[c]: d\n")) == "2:1 a key has to be plain text");
  CHECK(Problem(ParseYaml("a: b\nc: \xff\n")) == "2:1 not valid UTF-8");
  CHECK(Problem(ParseYaml(std::string("a: b\nc\0d", 8))).starts_with("2:2 a control character"));
  CHECK(Problem(ParseYaml("\x7f"
                          "ELF"))
            .starts_with("1:1 a control character"));
}

TEST_CASE("yaml: only the first document is read, with a warning") {
  YamlDocument document = ParseYaml("a: 1\n---\nb: 2\n");
  CHECK(Show(document.root) == "{a:1}");
  CHECK_FALSE(document.failed());
  REQUIRE(document.problems.size() == 1);
  CHECK(document.problems[0].line == 3);
  CHECK(ParseYaml("a: 1\n---\n").problems.empty());
}

TEST_CASE("yaml: depth is bounded, also through aliases") {
  YamlLimits limits;
  limits.depth_max = 10;
  std::string nine = std::string(10, '[') + std::string(10, ']');
  CHECK(ParseYaml(nine, limits).complete);
  CHECK(Problem(ParseYaml("[" + nine + "]", limits)).find("levels deep") != std::string::npos);
  std::string deep = "a: &a [[[[[]]]]]\nb: [[[[*a]]]]\nc: [[[[[*a]]]]]\n";
  CHECK(Problem(ParseYaml(deep, limits)).starts_with("3:9 nested"));
  // However deep it is, and whatever yaml-cpp itself would do with it.
  CHECK_FALSE(ParseYaml(std::string(100'000, '['), {}).complete);
  CHECK_FALSE(ParseYaml(std::string(100'000, '{'), {}).complete);
}

TEST_CASE("yaml: a bomb of aliases stops at the limit of nodes") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    std::string name = "a" + std::to_string(i), last = "*a" + std::to_string(i - 1);
    bomb += name + ": &" + name + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "" : ", ") + last;
    bomb += "]\n";
  }
  YamlDocument document = ParseYaml(bomb);
  CHECK_FALSE(document.complete);
  CHECK(Problem(document).find("more than 1000000 values") != std::string::npos);
}

TEST_CASE("yaml: plain scalars mean what go-yaml takes them for") {
  auto node = [](const char* text) { return ParseYaml(text).root; };
  bool flag = false, lost = false;
  CHECK((YamlBool(node("yes"), flag) && flag));
  CHECK((YamlBool(node("OFF"), flag) && !flag));
  CHECK_FALSE(YamlBool(node("'true'"), flag));
  CHECK_FALSE(YamlBool(node("1"), flag));
  uint64_t number = 0;
  CHECK((YamlUint(node("0x10"), number, lost) && number == 16));
  CHECK((YamlUint(node("010"), number, lost) && number == 8));
  CHECK((YamlUint(node("0b101"), number, lost) && number == 5));
  CHECK((YamlUint(node("1_000"), number, lost) && number == 1000));
  CHECK((YamlUint(node("1e3"), number, lost) && number == 1000 && !lost));
  CHECK((YamlUint(node("1.5"), number, lost) && number == 1 && lost));
  CHECK((YamlUint(node("18446744073709551615"), number, lost) && number == ~uint64_t{0}));
  CHECK_FALSE(YamlUint(node("-1"), number, lost));
  CHECK_FALSE(YamlUint(node("ten"), number, lost));
  CHECK_FALSE(YamlUint(node("'5'"), number, lost));
  CHECK_FALSE(YamlUint(node("1e30"), number, lost));
  int64_t integer = 0;
  CHECK((YamlInt(node("-5"), integer, lost) && integer == -5));
  CHECK_FALSE(YamlInt(node("9223372036854775808"), integer, lost));
  double real = 0;
  CHECK((YamlFloat(node("-.5"), real) && real == -0.5));
  CHECK((YamlFloat(node("1.5e1"), real) && real == 15));
  CHECK_FALSE(YamlFloat(node("1.5x"), real));
}

TEST_CASE("yaml: a written scalar reads back as the same text") {
  for (const char* text : {"",           "a",         "yes",  "No",
                           "null",       "~",         "5",    "1e3",
                           "0x1f",       "-",         "- a",  "a: b",
                           "a:",         "a #b",      "#a",   "a,b",
                           "[a]",        "{a}",       "'",    "\"",
                           "a\\b",       "*a",        "&a",   "!a",
                           "|",          ">",         "%a",   "@a",
                           "`a",         " a",        "a ",   "a\nb",
                           "\t",         "<<",        "---",  "...",
                           "a_(.*)",     "(.*);(.*)", "$1",   "http://a:b@c/d?e#f",
                           "2020-01-01", "ä",         "\x01", "10.0.0.1:9100",
                           "?",          "? a",       ":"}) {
    CAPTURE(text);
    YamlNode root = ParseYaml("k: " + YamlScalar(text) + "\n").root;
    // Control characters are refused in files, but not as escapes.
    REQUIRE(root.is_map());
    const YamlNode& value = root.map[0].value;
    CHECK((value.is_scalar() && value.text == text));
    bool flag = false, lost = false;
    int64_t number = 0;
    CHECK_FALSE(YamlBool(value, flag));
    CHECK_FALSE(YamlInt(value, number, lost));
  }
  const unsigned seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view kBytes = " :-#,[]{}&*!|>'\"%@`?~=<.\\\n\tab01_yn";
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (size_t length = random() % 8; text.size() < length;)
      text += kBytes[random() % kBytes.size()];
    CAPTURE(text);
    std::string written = YamlScalar(text);
    CHECK(ParseYaml("k: " + written + "\n").root.map.at(0).value.text == text);
    CHECK(ParseYaml("[" + written + ", x]\n").root.list.at(0).text == text);
    CHECK(ParseYaml(written + ": x\n").root.map.at(0).key == text);
  }
}

}  // namespace
}  // namespace tributary
