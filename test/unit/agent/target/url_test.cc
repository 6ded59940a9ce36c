#include "agent/target/url.h"

#include <random>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Values = std::map<std::string, std::vector<std::string>>;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The inverse of escaping, written apart from it; an empty string for what is not escaped well.
std::string Unescape(const std::string& text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0) return "";
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

TEST_CASE("url: is what Go's url.URL prints") {
  struct Case {
    std::string scheme, host, path;
    Values query;
    std::string url;
  };
  // The right column was printed by Go 1.26.
  const std::vector<Case> cases = {
      {"http", "h:1", "/metrics", {}, "http://h:1/metrics"},
      {"http", "h:1", "/probe?x=y", {}, "http://h:1/probe%3Fx=y"},
      {"http", "h:1", "noslash", {}, "http://h:1/noslash"},
      {"http", "h:1", "*", {}, "http://h:1/*"},
      {"http", "h:1", "", {}, "http://h:1"},
      {"http", "h:1", "", {{"a", {"b"}}}, "http://h:1?a=b"},
      {"", "h:1", "/metrics", {}, "//h:1/metrics"},
      {"HTTPS",
       "h",
       "/a b/ü#%41%/;:@&=+$,'()*!~_.-[]{}|\\^`\"<>",
       {},
       "HTTPS://h/a%20b/%C3%BC%23%2541%25/;:@&=+$,%27%28%29%2A%21~_.-%5B%5D%7B%7D%7C%5C%5E%60%22%3C"
       "%3E"},
      {"http", "[::1]:9100", "/metrics", {}, "http://[::1]:9100/metrics"},
      {"http", "[fe80::1%eth0]:9100", "/metrics", {}, "http://[fe80::1%25eth0]:9100/metrics"},
      {"http", "h?q#f@u ü\\:1", "/metrics", {}, "http://h%3Fq%23f%40u%20%C3%BC%5C:1/metrics"},
      {"http", "!$&'()*+,;=:[]<>\"-_.~a9", "/", {}, "http://!$&'()*+,;=:[]<>\"-_.~a9/"},
      {"http",
       "h:1",
       "/m",
       {{"z", {"1", "2"}},
        {"a b", {"c d+e&f=g%"}},
        {"", {"x"}},
        {"e", {}},
        {"ü", {"ñ"}},
        {"s", {"~-_.!*'()"}}},
       "http://h:1/m?=x&a+b=c+d%2Be%26f%3Dg%25&s=~-_.%21%2A%27%28%29&z=1&z=2&%C3%BC=%C3%B1"},
      {"http",
       "h:1",
       "/federate",
       {{"match[]", {"{job=\"x\"}", "up"}}},
       "http://h:1/federate?match%5B%5D=%7Bjob%3D%22x%22%7D&match%5B%5D=up"},
      {"http", "h:1", "//double//slash/../up/./x", {}, "http://h:1//double//slash/../up/./x"},
  };
  for (const Case& c : cases) {
    CHECK(JoinUrl(c.scheme, c.host, c.path, EncodeQuery(c.query)) == c.url);
  }
}

TEST_CASE("url: whatever the bytes, unescaping gives them back and nothing ends its part early") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; round++) {
    std::string text;
    const size_t size = 1 + random() % 20;
    for (size_t i = 0; i < size; i++) text += static_cast<char>(random() % 256);
    CAPTURE(text);
    const std::string path = EscapePath(text);
    const std::string host = EscapeHost(text);
    const std::string query = EscapeQuery(text);
    REQUIRE(Unescape(path, false) == text);
    REQUIRE(Unescape(host, false) == text);
    REQUIRE(Unescape(query, true) == text);
    REQUIRE(path.find_first_of("?# ") == std::string::npos);
    REQUIRE(host.find_first_of("/?#@ ") == std::string::npos);
    REQUIRE(query.find_first_of("&=#?/ ") == std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
