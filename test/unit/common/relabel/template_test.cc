#include "common/relabel/template.h"

#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

std::string Expanded(const std::string& regex, const std::string& text, const std::string& source) {
  Matcher matcher(regex);
  Template expansion(text, matcher);
  std::vector<std::string_view> groups(expansion.groups_needed());
  REQUIRE(matcher.Match(source, groups));
  std::string out;
  expansion.Expand(groups, out);
  return out;
}

TEST_CASE("template: groups by number and by name, with and without braces") {
  const std::string regex = "(?P<left>.*)-(?<right>.*)";
  CHECK(Expanded(regex, "$2-$1", "a-b") == "b-a");
  CHECK(Expanded(regex, "${2}x${1}", "a-b") == "bxa");
  CHECK(Expanded(regex, "$left/${right}", "a-b") == "a/b");
  CHECK(Expanded(regex, "<$0>", "a-b") == "<a-b>");
}

TEST_CASE("template: a name is as long as it can be") {
  CHECK(Expanded("(.*)", "$1x", "a") == "");
  CHECK(Expanded("(.*)", "$1_", "a") == "");
  CHECK(Expanded("(.*)", "$1é", "a") == "");  // a letter to Go
  CHECK(Expanded("(.*)", "$1-x", "a") == "a-x");
  CHECK(Expanded("(.*)", "$1。", "a") == "a。");  // no letter
}

TEST_CASE("template: a dollar that refers to nothing stands for itself") {
  CHECK(Expanded("(.*)", "$$1", "a") == "$1");
  CHECK(Expanded("(.*)", "$", "a") == "$");
  CHECK(Expanded("(.*)", "$-", "a") == "$-");
  CHECK(Expanded("(.*)", "${1", "a") == "${1");
  CHECK(Expanded("(.*)", "${}", "a") == "${}");
  CHECK(Expanded("(.*)", "${1 }", "a") == "${1 }");
}

TEST_CASE("template: a group that does not exist or took no part is empty") {
  CHECK(Expanded("(.*)", "[$2][${name}][$99999999999]", "a") == "[][][]");
  CHECK(Expanded("(a)|(b)", "[$1][$2]", "b") == "[][b]");
  CHECK(Expanded("(.*)", "[$01]", "a") == "[]");  // a name, for its leading zero
}

TEST_CASE("template: of several groups of one name, the first that took part counts") {
  CHECK(Expanded("(?<n>a)?(?<n>b)?", "$n", "ab") == "a");
  CHECK(Expanded("(?<n>a)?(?<n>b)?", "$n", "b") == "b");
  CHECK(Expanded("(?<n>a*)(?<n>b)?", "[$n]", "b") == "[]");
}

TEST_CASE("template: asks for no more groups than it refers to") {
  Matcher matcher("(.)(.)(.)");
  CHECK(Template("const$$", matcher).groups_needed() == 0);
  CHECK(Template("$7", matcher).groups_needed() == 0);
  CHECK(Template("$0", matcher).groups_needed() == 1);
  CHECK(Template("$2", matcher).groups_needed() == 3);
}

std::string Replaced(const std::string& regex, const std::string& text, const std::string& source) {
  Matcher matcher(regex);
  return ReplaceAll(matcher, Template(text, matcher), source);
}

TEST_CASE("template: ReplaceAll replaces the whole of what an anchored regex matches") {
  CHECK(Replaced("a_(.*)", "b_$1", "a_x") == "b_x");
  CHECK(Replaced("(?i)A_(.*)", "b_$1", "a_x") == "b_x");
  CHECK(Replaced("a_(.*)", "b_$1", "c") == "c");
}

// The figures are Go's.
TEST_CASE("template: ReplaceAll replaces every match of a regex that escapes its anchors") {
  CHECK(Replaced("a)|(?:b", "<$0>", "aabb") == "<a>ab<b>");
  CHECK(Replaced("x)|b*|(?:y", "-", "abba") == "-a-a-");
  CHECK(Replaced("x)|b*|(?:y", "-", "é日") == "-é-日-");
}

}  // namespace
}  // namespace tributary
