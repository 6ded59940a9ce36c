#include "common/dns/resolv_conf.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("resolv.conf: servers, search domains and ndots are read as Prometheus reads them") {
  const ResolvConf conf = ParseResolvConf(
      "# a comment\n; another\n\nnameserver 10.0.0.1\r\n  nameserver\tfd00::1 # ours\nnameserver\n"
      "#nameserver 10.0.0.9\ndomain old.local\nsearch a.local  b.local\n"
      "options rotate ndots:5 timeout:1\nsortlist x");
  CHECK(conf.servers == Names{"10.0.0.1", "fd00::1"});
  CHECK(conf.search == Names{"a.local", "b.local"});
  CHECK(conf.ndots == 5);
  CHECK(ParseResolvConf("").ndots == 1);
  CHECK(ParseResolvConf("search a\ndomain b").search == Names{"b"});
  CHECK(ParseResolvConf("search a\ndomain").search.empty());
  CHECK(ParseResolvConf("search a\nsearch").search.empty());
}

TEST_CASE("resolv.conf: ndots is kept between 0 and 15, and what is no number is 0") {
  const auto ndots = [](const std::string& text) {
    return ParseResolvConf("options ndots:" + text).ndots;
  };
  CHECK(ndots("0") == 0);
  CHECK(ndots("-3") == 0);
  CHECK(ndots("+2") == 2);
  CHECK(ndots("16") == 15);
  CHECK(ndots("99999999999999999999") == 15);
  CHECK(ndots("") == 0);
  CHECK(ndots("x") == 0);
  CHECK(ndots("2x") == 0);
}

TEST_CASE("resolv.conf: names are searched before or after themselves as ndots says") {
  ResolvConf conf{{}, {"a.local", "b."}, 1};
  CHECK(SearchNames(conf, "web.") == Names{"web."});
  CHECK(SearchNames(conf, "web") == Names{"web.a.local.", "web.b.", "web."});
  CHECK(SearchNames(conf, "web.x") == Names{"web.x.", "web.x.a.local.", "web.x.b."});
  conf.ndots = 2;
  CHECK(SearchNames(conf, "web.x") == Names{"web.x.a.local.", "web.x.b.", "web.x."});
  conf.ndots = 0;
  CHECK(SearchNames(conf, "web") == Names{"web.", "web.a.local.", "web.b."});
  conf.search.clear();
  CHECK(SearchNames(conf, "web") == Names{"web."});
  // An escaped dot divides nothing and ends nothing.
  conf = {{}, {"a"}, 1};
  CHECK(SearchNames(conf, "w\\.x") == Names{"w\\.x.a.", "w\\.x."});
  CHECK(SearchNames(conf, "w\\.") == Names{"w\\..a.", "w\\.."});
  CHECK(SearchNames(conf, "w\\\\.") == Names{"w\\\\."});
}

}  // namespace
}  // namespace tributary
