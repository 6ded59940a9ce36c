#include "agent/web/listener.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("listen address: name, IPv4, bracketed IPv6 and port alone") {
  const auto check = [](const char* text, const char* host, int port) {
    const auto address = ParseListenAddress(text);
    INFO(text);
    REQUIRE(address);
    CHECK(address->host == host);
    CHECK(address->port == port);
  };
  check("127.0.0.1:9095", "127.0.0.1", 9095);
  check("localhost:0", "localhost", 0);
  check("[::1]:65535", "::1", 65535);
  check(":9095", "", 9095);
}

TEST_CASE("listen address: what is wrong is said, with the ways to write it") {
  for (const char* text : {"", "9095", "localhost", "::1:9095", "[::1]", "[]:1", "[::1:9095",
                           "h:", "h:65536", "h:-1", "h:+1", "h:1x", "h:http", "h: 1"}) {
    const auto address = ParseListenAddress(text);
    INFO(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().message.find("write host:port") != std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
