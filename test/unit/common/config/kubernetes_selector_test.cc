// Verdicts are those of k8s.io/apimachinery (labels.Parse, fields.ParseSelector).
#include "common/config/kubernetes_selector.h"

#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("kubernetes selector: labels") {
  for (const std::string good : {"",
                                 "a",
                                 "!a",
                                 "a=b",
                                 "a==b",
                                 "a!=b",
                                 "a=",
                                 "a,b",
                                 "a in (b)",
                                 "a in (b,c),!d",
                                 "a in ()",
                                 "a in (,)",
                                 "a notin (b,,c)",
                                 "a in (in,notin)",
                                 "in",
                                 "in in (a)",
                                 "a>1",
                                 "app.kubernetes.io/name=x_y.z-1",
                                 " a = b , c ",
                                 "a\tin\n(b)"}) {
    INFO(good);
    CHECK(CheckLabelSelector(good));
  }
  for (const std::string bad : {"=",
                                ",",
                                "a,",
                                "a b",
                                "a=b c",
                                "!a=b",
                                "-a",
                                "a-",
                                "a/b/c",
                                "A/b",
                                "a..b/c",
                                "/b",
                                "a/",
                                "a=-b",
                                "a=b/c",
                                "a in b",
                                "a in (b",
                                "a in (b c)",
                                "a in",
                                "a>b",
                                "a<-5",
                                "a>",
                                "a<9223372036854775808",
                                "a=b=c",
                                "a===b",
                                "!",
                                "!!a",
                                "a(",
                                "(a)",
                                "\xc3\xa9"}) {
    INFO(bad);
    CHECK_FALSE(CheckLabelSelector(bad));
  }
  CHECK(CheckLabelSelector(std::string(63, 'a')));
  CHECK_FALSE(CheckLabelSelector(std::string(64, 'a')));
  CHECK_FALSE(CheckLabelSelector("a=" + std::string(64, 'b')));
  CHECK(CheckLabelSelector("a b").error().message ==
        "found 'b' where one of = == != > < in notin belongs");
  CHECK(CheckLabelSelector("a in (b").error().message == "found the end where ',' or ')' belongs");
}

TEST_CASE("kubernetes selector: fields") {
  for (const std::string good : {"", "spec.nodeName=x", "a==b", "a!=b", "a=b,c=d", ",a=b,", "a=",
                                 "=b", "a=b c", "a=b\\,c", "a=b\\=c", "a=b\\\\", "a!b=c", "a=!"}) {
    INFO(good);
    CHECK(CheckFieldSelector(good));
  }
  for (const std::string bad : {"a", "a!b", "a=b=c", "a=b\\c", "a=b\\", "\\", "a=b,c"}) {
    INFO(bad);
    CHECK_FALSE(CheckFieldSelector(bad));
  }
}

}  // namespace
}  // namespace tributary
