#include "agent/web/request_lines.h"

#include "agent/web/federate_door.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("request lines: method, path, query and version") {
  const RequestLine line = ParseRequestLine("GET /federate?match[]=up&x=?y HTTP/1.1\r\nA: b\r\n\r\n");
  CHECK(line.method == "GET");
  CHECK(line.path == "/federate");
  CHECK(line.query == "match[]=up&x=?y");
  CHECK(line.version == "HTTP/1.1");
  const RequestLine bare = ParseRequestLine("GET /x");
  CHECK((bare.path == "/x" && bare.query.empty() && bare.version.empty()));
  CHECK(ParseRequestLine("").method.empty());
}

TEST_CASE("request lines: headers by name, in any case; the first counts") {
  const std::string_view head =
      "GET /accept: HTTP/1.1\r\nAccept-Encoding: a\r\naccept:\t text/plain \r\nAccept: other\r\n\r\n";
  CHECK(HeaderOf(head, "Accept") == "text/plain");
  CHECK(HeaderOf(head, "ACCEPT-ENCODING") == "a");
  CHECK(HeaderOf(head, "Host").empty());
  CHECK(HeaderOf("", "Host").empty());
}

TEST_CASE("request lines: what is for the threads of /federate") {
  CHECK(IsFederate("GET /federate HTTP/1.1\r\n\r\n"));
  CHECK(IsFederate("POST /federate?a HTTP/1.0\r\n\r\n"));
  CHECK_FALSE(IsFederate("GET /federate/ HTTP/1.1\r\n\r\n"));
  CHECK_FALSE(IsFederate("GET /metrics?/federate HTTP/1.1\r\n\r\n"));
}

}  // namespace
}  // namespace tributary
