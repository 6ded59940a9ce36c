#include "common/config/url.h"

#include "common/config/model.h"
#include "common/config/suggest.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("url: takes what Go's url.Parse takes") {
  for (const char* text : {"http://a",
                           "http://a/",
                           "http://a:9/b?c=d#e",
                           "http://user:pass@a/",
                           "http://user@a",
                           "http://u:p%40@a",
                           "http://[::1]:9/",
                           "http://[fe80::1%25en0]/",
                           "HTTP://A",
                           "//a/b",
                           "/a",
                           "a/b",
                           "",
                           "*",
                           "mailto:x",
                           "http:",
                           "http://",
                           "http:///x",
                           "http://a:",
                           "http://a_b/",
                           "http://a/%20",
                           "http://a/b c",
                           "unix:a:b",
                           "mongodb://a:1,b:2/",
                           "http://a?b=%zz"}) {
    CAPTURE(text);
    CHECK(ParseUrl(text));
  }
}

TEST_CASE("url: refuses what Go's url.Parse refuses") {
  for (const char* text :
       {"http://a b", "http://a b:%zz", "http://a:b", "http://a:1:2", "http://a/%zz", "://a", ":",
        "1a:b", "http://[::1", "http://[a]", "http://[1.2.3.4]", "http://a[::1]", "http://u:p w@a",
        "http://%41/", "http://a/#%zz", "http://a\n", "http://u:%zz@a", "http://[fe80::1%25]/"}) {
    CAPTURE(text);
    auto parsed = ParseUrl(text);
    REQUIRE_FALSE(parsed);
    // It may hold a password.
    CHECK(
        (std::string_view(text) == ":" || parsed.error().message.find(text) == std::string::npos));
  }
}

TEST_CASE("url: knows scheme and host") {
  auto parts = ParseUrl("HTTPS://u:p@Host:9/x");
  REQUIRE(parts);
  CHECK(parts->scheme == "https");
  CHECK(parts->userinfo == "u:p");
  CHECK(parts->host == "Host:9");
}

TEST_CASE("url: the password is replaced, and nothing else") {
  CHECK(RedactUrl("http://u:secret@h:9/p?q=1#f") == "http://u:xxxxx@h:9/p?q=1#f");
  CHECK(RedactUrl("http://u:@h/") == "http://u:xxxxx@h/");
  CHECK(RedactUrl("http://:s@h/") == "http://:xxxxx@h/");
  CHECK(RedactUrl("http://u:a@b@h/") == "http://u:xxxxx@h/");
  CHECK(RedactUrl("//u:s@h/") == "//u:xxxxx@h/");
  for (const char* text : {"http://u@h/", "http://h/a:b@c", "http://h:9/", "http://h/?a:b@c",
                           "/a//b:c@d", "", "x", "http://"}) {
    CHECK(RedactUrl(text) == text);
  }
}

TEST_CASE("url: in a URL that is not valid rather too much is hidden than too little") {
  CHECK(RedactUrl("http://u:se/cr?et#@h/").find("cr") == std::string::npos);
}

TEST_CASE("suggest: counts insertions, deletions, replacements and swaps") {
  CHECK(EditDistance("", "abc") == 3);
  CHECK(EditDistance("abc", "abc") == 0);
  CHECK(EditDistance("abc", "acb") == 1);
  CHECK(EditDistance("kitten", "sitting") == 3);
  CHECK(EditDistance("scrape_intervall", "scrape_interval") == 1);
}

TEST_CASE("suggest: an unknown field is answered with the nearest one, or with its place") {
  CHECK(UnknownFieldHint("metric_path", ScrapeConfigSection()) == "did you mean 'metrics_path'?");
  CHECK(UnknownFieldHint("consol_sd_configs", ScrapeConfigSection()) ==
        "did you mean 'consul_sd_configs'?");
  CHECK(UnknownFieldHint("zzz_sd_configs", ScrapeConfigSection()).find("http_sd_configs") !=
        std::string::npos);
  CHECK(UnknownFieldHint("queue", RemoteWriteSection()) == "did you mean 'queue_config'?");
  CHECK(UnknownFieldHint("honor_labels", GlobalSection()) == "it belongs to scrape_config");
  CHECK(UnknownFieldHint("xyzzy", GlobalSection()).empty());
}

}  // namespace
}  // namespace tributary
