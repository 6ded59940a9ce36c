#include "common/http/http_url.h"

#include <random>
#include <string>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("http url: what a client has to know") {
  struct Case {
    const char* url;
    bool https;
    const char* host;
    int port;
    const char* authority;
  };
  for (const Case& c : {Case{"http://a", false, "a", 80, "a"},
                        Case{"HTTPS://A.Test/x", true, "a.test", 443, "A.Test"},
                        Case{"http://u:p@a:81?q", false, "a", 81, "a:81"},
                        Case{"https://[::1]:9/", true, "::1", 9, "[::1]:9"},
                        Case{"http://127.0.0.1/a/../b", false, "127.0.0.1", 80, "127.0.0.1"}}) {
    CAPTURE(c.url);
    const auto url = ParseHttpUrl(c.url);
    REQUIRE(url);
    CHECK(url->https == c.https);
    CHECK(url->host == c.host);
    CHECK(url->port == c.port);
    CHECK(url->authority == c.authority);
  }
  for (const char* bad :
       {"", "a", "a:1", "//a", "ftp://a", "http://", "http:///x", "http://a:99999"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseHttpUrl(bad));
  }
}

// With its scheme in upper case a URL is left to libcurl.
TEST_CASE("http url: plain ones are read as libcurl reads them") {
  const std::vector<std::string> pieces = {"a",   "b9",  "x-y",   ".",     "..",       "0", "1",
                                           "127", "255", "256",   "0x7f",  "10.0.0.1", "-", ":",
                                           "80",  "00",  "65535", "65536", "@",        "/", "?",
                                           "#",   "%41", "[::1]", "A",     "_",        " ", "\\"};
  std::mt19937 random(20'261'128);
  int plain = 0;
  for (int i = 0; i < 200'000; i++) {
    std::string rest = i % 2 == 0 ? "" : i % 4 == 1 ? "10.1.2.3" : "node";
    for (size_t left = random() % 6; left > 0; left--) rest += pieces[random() % pieces.size()];
    const bool https = random() % 2 == 0;
    CAPTURE(rest, https);
    const auto url = ParseHttpUrl((https ? "https://" : "http://") + rest);
    const auto other = ParseHttpUrl((https ? "HTTPS://" : "HTTP://") + rest);
    REQUIRE(url.has_value() == other.has_value());
    if (!url) continue;
    plain++;
    REQUIRE(url->https == other->https);
    REQUIRE(url->host == other->host);
    REQUIRE(url->port == other->port);
    REQUIRE(url->authority == other->authority);
  }
  CHECK(plain > 50'000);
}

TEST_CASE("http url: where a redirect leads") {
  struct Case {
    const char *base, *location, *url;
  };
  for (const Case& c :
       {Case{"http://a/b/c?d", "/e", "http://a/e"}, Case{"http://a/b/c?d", "e?f", "http://a/b/e?f"},
        Case{"http://a:1/b", "//c/d", "http://c/d"}, Case{"http://a/b", "https://c", "https://c/"},
        Case{"https://a/b/c", "../d", "https://a/d"}, Case{"http://a/b", "?x=1", "http://a/b?x=1"},
        Case{"http://a/b", "/c d", "http://a/c%20d"}}) {
    CAPTURE(c.base, c.location);
    CHECK(ResolveLocation(c.base, c.location) == std::string(c.url));
  }
  for (const char* nowhere : {"ftp://a/", "mailto:a", "http://", "javascript:x"}) {
    CAPTURE(nowhere);
    CHECK_FALSE(ResolveLocation("http://a/b", nowhere));
  }
}

TEST_CASE("http url: another host in its place") {
  CHECK(WithHost("https://a:1/b?c@d", "x.test") == "https://x.test:1/b?c@d");
  CHECK(WithHost("https://u:p@a", "x") == "https://u:p@x");
  CHECK(WithHost("https://[::1]:2/", "x") == "https://x:2/");
  CHECK(WithHost("https://[::1]/", "::2") == "https://[::2]/");
  CHECK(WithHost("https://a?b", "x") == "https://x?b");
}

}  // namespace
}  // namespace tributary
