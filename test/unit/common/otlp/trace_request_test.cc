#include "common/otlp/trace_request.h"

#include <string>

#include "common/base/utf8.h"
#include "test/support/catch.h"
#include "trace.pb.h"

namespace tributary {
namespace {

std::string Bytes(int first, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; i++) bytes += static_cast<char>(first + static_cast<int>(i));
  return bytes;
}

Span MakeSpan() {
  Span span;
  for (size_t i = 0; i < 16; i++) span.context.trace_id[i] = static_cast<unsigned char>(i + 1);
  for (size_t i = 0; i < 8; i++) span.context.span_id[i] = static_cast<unsigned char>(i + 101);
  span.context.sampled = true;
  span.name = "scrape";
  span.start_ns = 1'700'000'000'123'456'789;
  span.end_ns = 1'700'000'001'000'000'001;
  return span;
}

test::trace::Request Decode(TraceRequestBuilder& builder) {
  test::trace::Request request;
  REQUIRE(request.ParseFromString(builder.Finish()));
  return request;
}

test::trace::Span Encoded(const Span& span) {
  TraceRequestBuilder builder({}, "s", "1");
  builder.Add(span);
  return Decode(builder).resource_spans(0).scope_spans(0).spans(0);
}

TEST_CASE("otlp: libprotobuf reads the resource, the scope and every field of a span") {
  Span span = MakeSpan();
  for (size_t i = 0; i < 8; i++) span.parent[i] = static_cast<unsigned char>(i + 201);
  span.kind = SpanKind::kClient;
  span.Set("text", std::string("a value"));
  span.Set("number", int64_t{-5});
  span.attributes.push_back({"flag", true});
  span.attributes.push_back({"off", false});
  span.events.push_back(
      {1'700'000'000'500'000'000, "exception", {{"exception.message", std::string("why")}}});
  span.SetError("broken");
  TraceRequestBuilder builder({{"service.name", std::string("tributary")}}, "scope", "1.2");
  builder.Add(span);
  builder.Add(MakeSpan());
  CHECK(builder.bytes() > 0);
  const test::trace::Request request = Decode(builder);
  CHECK(builder.bytes() == 0);

  REQUIRE(request.resource_spans_size() == 1);
  const auto& resource = request.resource_spans(0);
  CHECK(resource.schema_url() == "https://opentelemetry.io/schemas/1.43.0");
  REQUIRE(resource.resource().attributes_size() == 1);
  CHECK(resource.resource().attributes(0).key() == "service.name");
  CHECK(resource.resource().attributes(0).value().string_value() == "tributary");
  REQUIRE(resource.scope_spans_size() == 1);
  CHECK(resource.scope_spans(0).scope().name() == "scope");
  CHECK(resource.scope_spans(0).scope().version() == "1.2");
  REQUIRE(resource.scope_spans(0).spans_size() == 2);

  const test::trace::Span& got = resource.scope_spans(0).spans(0);
  CHECK(got.trace_id() == Bytes(1, 16));
  CHECK(got.span_id() == Bytes(101, 8));
  CHECK(got.parent_span_id() == Bytes(201, 8));
  CHECK(got.name() == "scrape");
  CHECK(got.kind() == 3);
  CHECK(got.start_time_unix_nano() == 1'700'000'000'123'456'789);
  CHECK(got.end_time_unix_nano() == 1'700'000'001'000'000'001);
  CHECK(got.flags() == 257);  // as Go's SDK has it
  REQUIRE(got.attributes_size() == 4);
  CHECK(got.attributes(0).key() == "text");
  CHECK(got.attributes(0).value().string_value() == "a value");
  CHECK(got.attributes(1).value().int_value() == -5);
  CHECK(got.attributes(2).value().bool_value());
  CHECK(got.attributes(3).value().has_bool_value());
  CHECK_FALSE(got.attributes(3).value().bool_value());
  REQUIRE(got.events_size() == 1);
  CHECK(got.events(0).name() == "exception");
  CHECK(got.events(0).time_unix_nano() == 1'700'000'000'500'000'000);
  CHECK(got.events(0).attributes(0).value().string_value() == "why");
  CHECK(got.status().code() == 2);
  CHECK(got.status().message() == "broken");
  // What a span does not have is not there.
  const test::trace::Span& plain = resource.scope_spans(0).spans(1);
  CHECK(plain.parent_span_id().empty());
  CHECK(plain.kind() == 1);
  CHECK_FALSE(plain.has_status());
  CHECK(plain.attributes_size() == 0);
}

TEST_CASE("otlp: texts are valid UTF-8, and no longer than they may be") {
  Span span = MakeSpan();
  span.Set("bad", std::string("a\xff") + "b\xc3");
  span.Set("long", std::string(kSpanTextBytesMax - 1, 'x') + "\xc3\xa4" + "more");
  span.SetError(std::string(1'000'000, '\xfe'));
  const test::trace::Span got = Encoded(span);
  CHECK(got.attributes(0).value().string_value() ==
        "a\xef\xbf\xbd"
        "b\xef\xbf\xbd");
  // The rune that does not fit is left out whole.
  CHECK(got.attributes(1).value().string_value() == std::string(kSpanTextBytesMax - 1, 'x'));
  CHECK(IsValidUtf8(got.status().message()));
  CHECK(got.status().message().size() <= 3 * kSpanTextBytesMax);
}

TEST_CASE("otlp: nothing is kept of a span that is not sampled") {
  Span span = MakeSpan();
  span.context.sampled = false;
  span.Set("text", std::string("a"));
  span.Set("number", int64_t{1});
  span.SetError("b");
  CHECK(span.attributes.empty());
  CHECK(span.status == SpanStatus::kUnset);
}

}  // namespace
}  // namespace tributary
