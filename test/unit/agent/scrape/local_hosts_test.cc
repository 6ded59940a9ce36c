#include "agent/scrape/local_hosts.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("local hosts: loopback and the node's own addresses, however they are written") {
  const LocalHosts hosts({"10.0.0.7", "fe80::1", "2001:db8::7", "no address", ""});
  for (const char* url :
       {"http://127.0.0.1:9100/metrics", "http://127.8.9.1/", "https://[::1]:9100/metrics",
        "http://LOCALHOST:1/", "http://10.0.0.7:9100/metrics", "http://[::ffff:10.0.0.7]/",
        "http://[2001:db8:0::7]:9100/", "http://[::ffff:127.0.0.1]/"}) {
    CAPTURE(url);
    CHECK(hosts.Has(url));
  }
  for (const char* url :
       {"http://10.0.0.70/", "http://128.0.0.1/", "http://localhost.example.org/",
        "http://node.example.org/127.0.0.1", "http://[2001:db8::8]/", "//127.0.0.1/", ""}) {
    CAPTURE(url);
    CHECK_FALSE(hosts.Has(url));
  }
}

TEST_CASE("local hosts: without addresses of the node, loopback only") {
  const LocalHosts hosts({});
  CHECK(hosts.Has("http://127.0.0.1/"));
  CHECK_FALSE(hosts.Has("http://10.0.0.7/"));
  CHECK_FALSE(hosts.Has("http://0.0.0.0/"));
}

}  // namespace
}  // namespace tributary
