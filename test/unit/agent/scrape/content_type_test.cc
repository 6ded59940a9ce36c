#include "agent/scrape/content_type.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("content type: the type decides, whatever its case, and parameters have to make sense") {
  const auto is = [](const char* header, PageFormat format) {
    CAPTURE(header);
    const Result<PageFormat> found = FormatOfPage(header, "");
    REQUIRE(found);
    CHECK(*found == format);
  };
  is("text/plain", PageFormat::kPrometheusText);
  is("text/plain; version=0.0.4", PageFormat::kPrometheusText);
  is("TEXT/Plain;charset=utf-8", PageFormat::kPrometheusText);
  is(" text/plain ;x=y", PageFormat::kPrometheusText);
  is("text/plain; x=\"a;\\\"b\" ; y = z;", PageFormat::kPrometheusText);
  is("text/plain; x=1; x=1", PageFormat::kPrometheusText);
  is("application/openmetrics-text; version=1.0.0; charset=utf-8", PageFormat::kOpenMetrics);
  is("application/openmetrics-text", PageFormat::kOpenMetrics);
  is("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
     PageFormat::kProtobuf);
}

TEST_CASE("content type: others are read only under a fallback, and the error says how") {
  for (const char* other :
       {"", "application/json", "text/html", "text", ";", "text/plainer", "text/plain; version",
        "text/plain; =1", "text/plain; a=\"", "text/plain; a=1; a=2", "text/plain x", "text/",
        "/plain", "text/plain; version=;;", "application/openmetrics-text; version=2.0.0"}) {
    CAPTURE(other);
    const Result<PageFormat> strict = FormatOfPage(other, "");
    REQUIRE_FALSE(strict);
    CHECK(strict.error().message.find("fallback_scrape_protocol") != std::string::npos);
    CHECK(FormatOfPage(other, "PrometheusText0.0.4") == PageFormat::kPrometheusText);
    CHECK(FormatOfPage(other, "OpenMetricsText1.0.0") == PageFormat::kOpenMetrics);
    CHECK(FormatOfPage(other, "PrometheusProto") == PageFormat::kProtobuf);
  }
  // A fallback is for what cannot be read, not instead of what can.
  CHECK(FormatOfPage("text/plain", "OpenMetricsText1.0.0") == PageFormat::kPrometheusText);
  // A long header does not fill the log.
  CHECK(FormatOfPage(std::string(100000, 'x'), "").error().message.size() < 400);
}

}  // namespace
}  // namespace tributary
