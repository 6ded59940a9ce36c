#include "common/http_client/redirect.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("redirect: who may see the first host's credentials") {
  CHECK(IsSameOrBelow("a.test", "a.test"));
  CHECK(IsSameOrBelow("b.a.test", "a.test"));
  CHECK(IsSameOrBelow("c.b.a.test", "a.test"));
  CHECK_FALSE(IsSameOrBelow("ba.test", "a.test"));
  CHECK_FALSE(IsSameOrBelow("a.test", "b.a.test"));
  CHECK_FALSE(IsSameOrBelow("test", "a.test"));
  CHECK_FALSE(IsSameOrBelow("a.test.evil", "a.test"));
  CHECK(IsSameOrBelow("127.0.0.1", "127.0.0.1"));
  CHECK(IsSameOrBelow("::1", "::1"));
  CHECK_FALSE(IsSameOrBelow("::1%.a.test", "a.test"));
  CHECK_FALSE(IsSameOrBelow("a.test", ""));
  CHECK_FALSE(IsSameOrBelow("", ""));
}

TEST_CASE("redirect: methods and bodies") {
  struct Case {
    int status;
    const char *method, *next;
    bool body;
  };
  for (const Case& c : {Case{301, "POST", "GET", false}, Case{302, "PUT", "GET", false},
                        Case{303, "DELETE", "GET", false}, Case{302, "HEAD", "HEAD", false},
                        Case{307, "POST", "POST", true}, Case{308, "PUT", "PUT", true}}) {
    CAPTURE(c.status, c.method);
    HttpRequest request;
    request.method = c.method;
    request.body = std::make_shared<const std::string>("b");
    request.headers = {{"content-type", "t"}, {"Content-Encoding", "snappy"}, {"X", "y"}};
    MakeNext(request, c.status, "http://next/");
    CHECK(request.url == "http://next/");
    CHECK(request.method == c.next);
    CHECK((request.body != nullptr) == c.body);
    CHECK(request.headers.size() == (c.body ? 3 : 1));
  }
}

}  // namespace
}  // namespace tributary
