#include "agent/federate/federate_form.h"

#include "agent/federate/federate_query.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

std::string Negotiated(const std::string& accept) { return NegotiateForm(accept).content_type(); }

constexpr char kProtobuf[] =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; "
    "escaping=";
constexpr char kText[] = "text/plain; version=0.0.4; charset=utf-8; escaping=";

TEST_CASE("form: what a real Prometheus answers to these") {
  const std::string text(kText), protobuf(kProtobuf);
  CHECK(Negotiated("") == text + "underscores");
  CHECK(Negotiated("*/*") == text + "underscores");
  CHECK(Negotiated("text/plain") == text + "underscores");
  CHECK(Negotiated("application/openmetrics-text;version=1.0.0") == text + "underscores");
  CHECK(Negotiated("text/plain;escaping=dots") == text + "dots");
  CHECK(Negotiated("text/plain;escaping=values;version=0.0.4") == text + "values");
  CHECK(Negotiated("text/plain;escaping=nonsense") == text + "underscores");
  CHECK(Negotiated("application/vnd.google.protobuf") == text + "underscores");
  // As Prometheus scrapes: what it asks of a form that is not served stays.
  CHECK(Negotiated("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                   "application/openmetrics-text;version=0.0.1;q=0.5,"
                   "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                   "text/plain;version=0.0.4;q=0.3,*/*;q=0.2") == text + "allow-utf-8");
  const std::string delimited =
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  CHECK(Negotiated(delimited) == protobuf + "underscores");
  CHECK(Negotiated(delimited + ";q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                               "text/plain;version=0.0.4;q=0.3,*/*;q=0.2") ==
        protobuf + "underscores");
  CHECK(Negotiated("text/plain;version=0.0.4;q=0.9," + delimited + ";q=0.4") ==
        text + "underscores");
  CHECK(Negotiated("text/plain;q=0.1 , " + delimited + "; q=0.4") == protobuf + "underscores");
}

TEST_CASE("form: hostile Accept headers end in text") {
  CHECK(Negotiated(std::string(10'000, ',')) == std::string(kText) + "underscores");
  CHECK(Negotiated("a/b/c,;;;,=/=;=;q=,text/plain/x") == std::string(kText) + "underscores");
  std::string many;
  for (int i = 0; i < 1000; i++) many += "a/b;q=0." + std::to_string(i) + ",";
  CHECK(Negotiated(many) == std::string(kText) + "underscores");
}

TEST_CASE("form: gzip where it is named") {
  CHECK(TakesGzip("gzip"));
  CHECK(TakesGzip("zstd, gzip"));
  CHECK(TakesGzip("deflate,gzip ,br"));
  CHECK_FALSE(TakesGzip(""));
  CHECK_FALSE(TakesGzip("identity"));
  CHECK_FALSE(TakesGzip("gzip;q=1.0"));  // as Prometheus
}

TEST_CASE("form: names are escaped as prometheus/common does it") {
  CHECK(EscapeName("http.requests_total", NameEscaping::kNone) == "http.requests_total");
  CHECK(EscapeName("http.requests_total", NameEscaping::kUnderscores) == "http_requests_total");
  CHECK(EscapeName("http.requests_total", NameEscaping::kDots) == "http_dot_requests__total");
  CHECK(EscapeName("http.requests_total", NameEscaping::kValues) == "U__http_2e_requests__total");
  CHECK(EscapeName("1\xc3\xbc", NameEscaping::kUnderscores) == "__");
  CHECK(EscapeName("1\xc3\xbc", NameEscaping::kValues) == "U___31__fc_");
  for (const auto escaping : {NameEscaping::kUnderscores, NameEscaping::kDots, NameEscaping::kValues}) {
    CHECK(EscapeName("up_1:x", escaping) == "up_1:x");
    CHECK(EscapeName("", escaping).empty());
  }
}

TEST_CASE("query: each match[] is a selector") {
  const auto selectors = ParseMatches("x=1&match[]=up&match%5B%5D=%7Bjob%3D~%22a+b%22%7D&match=n&&");
  REQUIRE(selectors.has_value());
  REQUIRE(selectors->size() == 2);
  const LabelView job{"job", "a b"};
  CHECK((*selectors)[1].Matches(std::span(&job, 1)));
  CHECK(ParseMatches("")->empty());
}

TEST_CASE("query: errors are Prometheus' own") {
  const auto error = [](std::string_view query) {
    const auto selectors = ParseMatches(query);
    return selectors ? std::string() : selectors.error().message;
  };
  CHECK(error("match[]=%zz") == "error parsing form values: invalid URL escape \"%zz\"");
  CHECK(error("a%2=1") == "error parsing form values: invalid URL escape \"%2\"");
  CHECK(error("match[]=up;x=1") ==
        "error parsing form values: invalid semicolon separator in query");
  CHECK(error("match[]=up&match[]=") ==
        "unknown position: parse error: unexpected end of input");
  CHECK(error("match[]=%7B") ==
        "1:2: parse error: unexpected end of input inside braces");
}

}  // namespace
}  // namespace tributary
