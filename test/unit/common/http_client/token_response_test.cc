#include "common/http_client/token_response.h"

#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("token response: what is taken") {
  struct Case {
    const char *type, *body, *authorization;
    int expires_in;  // 0: never
  };
  const Case cases[] = {
      {"application/json", R"({"access_token":"a"})", "Bearer a", 0},
      {"application/json; charset=utf-8", R"({"access_token":"a","expires_in":60})", "Bearer a",
       60},
      {"", R"({"access_token":"a","token_type":"bEARER","expires_in":"60"})", "Bearer a", 60},
      {"", R"({"access_token":"a","token_type":"mac","expires_in":null})", "MAC a", 0},
      {"", R"({"access_token":"a","token_type":"Own","other":[1]})", "Own a", 0},
      {"", R"({"access_token":"a","expires_in":99999999999})", "Bearer a", 2147483647},
      {"text/plain", "access_token=a%20b&token_type=basic&expires_in=5", "Basic a b", 5},
      {"application/x-www-form-urlencoded", "access_token=a+b&expires_in=soon", "Bearer a b", 0},
  };
  for (const Case& c : cases) {
    CAPTURE(c.type, c.body);
    const auto token = ReadTokenResponse(200, c.type, c.body);
    REQUIRE(token);
    CHECK(token->authorization == c.authorization);
    CHECK(token->expires_in.value_or(seconds(0)) == seconds(c.expires_in));
  }
  CHECK(ReadTokenResponse(201, "", R"({"access_token":"a"})"));
}

TEST_CASE("token response: what is not") {
  struct Case {
    int status;
    const char *type, *body, *message;
  };
  const Case cases[] = {
      {200, "", "", "with what is no token response"},
      {200, "", "[]", "with what is no token response"},
      {200, "", R"({"access_token":1})", "with what is no token response"},
      {200, "", R"({"access_token":"a")", "with what is no token response"},
      {200, "text/plain", "access_token=%2", "with what is no token response"},
      {200, "", R"({"access_token":""})", "without access_token"},
      {200, "text/plain", "hello", "without access_token"},
      {200, "", R"({"access_token":"a","expires_in":1.5})", "no token response"},
      {200, "", R"({"access_token":"a","expires_in":"x"})", "no whole number"},
      {200, "", R"({"access_token":"a\nb"})", "that no header can hold"},
      {200, "", R"({"access_token":"a","error":"e"})", ": \"e\""},
      {400, "", R"({"error":"e","error_description":"d\n"})", "answered 400: \"e\" \"d \""},
      {400, "text/plain", "error=e&error_description=d+d", ": \"e\" \"d d\""},
      {403, "", R"({"access_token":"a"})", "answered 403"},
      {500, "text/html", "<p>sesame", "answered 500"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.status, c.type, c.body);
    const auto token = ReadTokenResponse(c.status, c.type, c.body);
    REQUIRE_FALSE(token);
    CAPTURE(token.error().message);
    CHECK(token.error().message.find(c.message) != std::string::npos);
    CHECK(token.error().message.find("sesame") == std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
