#include "agent/web/reception.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("reception: probes are GET or HEAD of health and readiness, and nothing else") {
  CHECK(IsProbe("GET /-/healthy HTTP/1.1\r\n\r\n"));
  CHECK(IsProbe("HEAD /-/ready HTTP/1.0\r\n\r\n"));
  CHECK(IsProbe("GET /-/ready?x=/metrics HTTP/1.1\r\n\r\n"));
  for (const char* head :
       {"POST /-/healthy HTTP/1.1\r\n\r\n", "GET /-/healthyx HTTP/1.1\r\n\r\n",
        "GET /-/reload HTTP/1.1\r\n\r\n", "GET /metrics?/-/healthy HTTP/1.1\r\n\r\n",
        "GET  /-/healthy HTTP/1.1\r\n\r\n", "get /-/healthy HTTP/1.1\r\n\r\n",
        "GET http://x/-/healthy HTTP/1.1\r\n\r\n", "GET ", "\r\n\r\n", ""}) {
    INFO(head);
    CHECK_FALSE(IsProbe(head));
  }
}

TEST_CASE("reception: a refusal is a whole response") {
  const std::string response = RefusalResponse("503 Service Unavailable", "busy\n");
  CHECK(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(response.find("\r\nContent-Length: 5\r\n") != std::string::npos);
  CHECK(response.ends_with("\r\n\r\nbusy\n"));
}

}  // namespace
}  // namespace tributary
