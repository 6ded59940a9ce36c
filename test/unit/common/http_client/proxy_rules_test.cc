#include "common/http_client/proxy_rules.h"

#include <map>
#include <string>
#include <utility>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Environment = std::map<std::string, std::string>;

ProxyRules Rules(const ProxyConfig& config, const Environment& environment = {}) {
  return ProxyRules(config, [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

// The proxy's URL, "" for none.
std::string ProxyOf(const ProxyRules& rules, const std::string& url) {
  const auto proxy = rules.For(url);
  REQUIRE(proxy);
  return *proxy == nullptr ? "" : (*proxy)->url;
}

ProxyConfig By(const std::string& url, const std::string& no_proxy = "") {
  ProxyConfig config;
  config.proxy_url = url;
  config.no_proxy = no_proxy;
  return config;
}

TEST_CASE("proxy rules: none where none is configured") {
  const ProxyRules rules = Rules({}, {{"http_proxy", "http://p"}});
  CHECK(rules.empty());
  CHECK(ProxyOf(rules, "http://a").empty());
}

TEST_CASE("proxy rules: the URL is completed by its scheme's port") {
  const std::pair<const char*, const char*> cases[] = {
      {"http://p", "http://p:80"},         {"http://p:", "http://p:80"},
      {"https://p", "https://p:443"},      {"socks5://p", "socks5h://p:1080"},
      {"socks5h://p:1", "socks5h://p:1"},  {"http://u:s@p:3128/", "http://u:s@p:3128"},
      {"http://[::1]", "http://[::1]:80"}, {"http://[::1]:8", "http://[::1]:8"},
  };
  for (const auto& [given, used] : cases) {
    CAPTURE(given);
    CHECK(ProxyOf(Rules(By(given)), "https://a/") == used);
  }
  for (const char* unusable : {"ftp://p", "p:1", "p", "/p", "http://"}) {
    CAPTURE(unusable);
    CHECK_FALSE(Rules(By(unusable)).For("http://a/"));
  }
  // With exceptions Prometheus takes the other way into Go's libraries, which guesses.
  CHECK(ProxyOf(Rules(By("p:1", "x")), "http://a/") == "http://p:1");
}

TEST_CASE("proxy rules: exceptions") {
  struct Case {
    const char* no_proxy;
    const char* url;
    bool direct;
  };
  const Case cases[] = {
      {"", "http://localhost/", false},  // none given: everything goes through the proxy
      {"", "http://127.0.0.1/", false},
      {"x", "http://localhost:9100/", true},
      {"x", "http://127.1.2.3/", true},
      {"x", "http://[::1]/", true},
      {"x", "http://[::ffff:127.0.0.1]/", true},
      {"x", "http://128.0.0.1/", false},
      {"*", "http://a.test/", true},
      {"b, * ", "https://10.0.0.1/", true},
      {"a.test", "http://a.test/", true},
      {"a.test", "http://A.TEST/", true},
      {"A.test", "http://b.a.test/", true},
      {"a.test", "http://ba.test/", false},
      {".a.test", "http://a.test/", false},
      {".a.test", "http://b.a.test/", true},
      {"*.a.test", "http://a.test/", false},
      {"*.a.test", "http://c.b.a.test/", true},
      {"a.test:80", "http://a.test/", true},
      {"a.test:80", "https://a.test/", false},
      {"a.test:443", "https://a.test/", true},
      {"a.test:8080", "http://a.test:8080/", true},
      {"a.test:", "http://a.test:8080/", true},
      {"a.test:x", "http://a.test/", false},
      {":80", "http://a.test/", false},
      {"10.1.2.3", "http://10.1.2.3:9/", true},
      {"10.1.2.3:9", "http://10.1.2.3:9/", true},
      {"10.1.2.3:9", "http://10.1.2.3:8/", false},
      {"10.1.0.0/16", "http://10.1.2.3/", true},
      {"10.1.0.0/16", "http://10.2.2.3/", false},
      {"10.1.2.2/31", "http://10.1.2.3/", true},
      {"10.1.2.2/31", "http://10.1.2.4/", false},
      {"0.0.0.0/0", "http://10.1.2.4/", true},
      {"0.0.0.0/0", "http://[2001:db8::1]/", false},
      {"10.1.2.3/33", "http://10.1.2.3/", false},
      {"2001:db8::/32", "http://[2001:db8:1::1]/", true},
      {"2001:db8::1", "http://[2001:db8::1]/", true},
      {"[2001:db8::1]:80", "http://[2001:db8::1]/", true},
      {"[2001:db8::1]:81", "http://[2001:db8::1]/", false},
      {"1.2.3", "http://1.2.3.4/", false},
      {",,x , a.test", "http://a.test/", true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.no_proxy, c.url);
    CHECK(ProxyOf(Rules(By("http://p", c.no_proxy)), c.url).empty() == c.direct);
  }
}

TEST_CASE("proxy rules: the environment, lower case first") {
  ProxyConfig config;
  config.proxy_from_environment = true;
  Environment environment = {{"HTTP_PROXY", "http://upper"},
                             {"http_proxy", "lower:1"},
                             {"HTTPS_PROXY", "https://secure"},
                             {"https_proxy", ""},
                             {"NO_PROXY", "a.test"}};
  const ProxyRules rules = Rules(config, environment);
  CHECK(ProxyOf(rules, "http://b.test/") == "http://lower:1");
  CHECK(ProxyOf(rules, "https://b.test/") == "https://secure:443");
  CHECK(ProxyOf(rules, "http://a.test/").empty());
  CHECK(ProxyOf(rules, "http://localhost/").empty());
  CHECK(Rules(config).empty());
  environment["REQUEST_METHOD"] = "GET";
  CHECK(ProxyOf(Rules(config, environment), "http://b.test/").empty());
  CHECK_FALSE(ProxyOf(Rules(config, environment), "https://b.test/").empty());
}

}  // namespace
}  // namespace tributary
