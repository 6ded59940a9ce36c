#include "common/http_client/authorization.h"

#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"

namespace tributary {
namespace {

HttpClientConfig Basic(BasicAuth basic) {
  HttpClientConfig config;
  config.basic_auth = std::move(basic);
  return config;
}

HttpClientConfig WithAuthorization(Authorization authorization) {
  HttpClientConfig config;
  config.authorization = std::move(authorization);
  return config;
}

TEST_CASE("authorization: none where none is configured") {
  SimFileSystem files;
  const auto header = AuthorizationHeader({}, files);
  REQUIRE(header);
  CHECK_FALSE(header->has_value());
}

TEST_CASE("authorization: basic is base64 of user and password") {
  SimFileSystem files;
  // The example of RFC 7617, 2; of 2.1 (UTF-8); and paddings of every length.
  CHECK(**AuthorizationHeader(Basic({"Aladdin", "", {"open sesame"}, ""}), files) ==
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(**AuthorizationHeader(Basic({"test", "", {"123\xc2\xa3"}, ""}), files) ==
        "Basic dGVzdDoxMjPCow==");
  CHECK(**AuthorizationHeader(Basic({"w", "", {"p:w"}, ""}), files) == "Basic dzpwOnc=");
  CHECK(**AuthorizationHeader(Basic({"ab", "", {"cde"}, ""}), files) == "Basic YWI6Y2Rl");
  CHECK(**AuthorizationHeader(Basic({"", "", {""}, ""}), files) == "Basic Og==");
}

TEST_CASE("authorization: the type is sent as configured") {
  SimFileSystem files;
  CHECK(**AuthorizationHeader(WithAuthorization({"Bearer", {"tok"}, ""}), files) == "Bearer tok");
  CHECK(**AuthorizationHeader(WithAuthorization({"Custom", {"a b"}, ""}), files) == "Custom a b");
}

TEST_CASE("authorization: files are read at each call, without the white space around") {
  SimFileSystem files;
  files.WriteFile("/s/token", "  first\r\n");
  const HttpClientConfig bearer = WithAuthorization({"Bearer", {}, "/s/token"});
  CHECK(**AuthorizationHeader(bearer, files) == "Bearer first");
  files.WriteFile("/s/token", "\nsecond word\n\n");
  CHECK(**AuthorizationHeader(bearer, files) == "Bearer second word");

  files.WriteFile("/s/user", "Aladdin\n");
  files.WriteFile("/s/password", "open sesame\n");
  CHECK(**AuthorizationHeader(Basic({"", "/s/user", {}, "/s/password"}), files) ==
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_CASE("authorization: an empty file is an empty secret") {
  SimFileSystem files;
  files.WriteFile("/s/token", " \n");
  CHECK(**AuthorizationHeader(WithAuthorization({"Bearer", {}, "/s/token"}), files) == "Bearer ");
}

TEST_CASE("authorization: an error names the file that is missing and no secret") {
  SimFileSystem files;
  files.WriteFile("/s/user", "hidden-user");
  for (const HttpClientConfig& config :
       {WithAuthorization({"Bearer", {"hidden-token"}, "/s/absent"}),
        Basic({"", "/s/user", {}, "/s/absent"}), Basic({"", "/s/absent", {"hidden-pw"}, ""})}) {
    const auto header = AuthorizationHeader(config, files);
    REQUIRE_FALSE(header);
    CHECK(header.error().message.find("/s/absent") != std::string::npos);
    CHECK(header.error().message.find("hidden") == std::string::npos);
  }
}

TEST_CASE("authorization: a file that is too large for a secret is refused") {
  SimFileSystem files;
  files.WriteFile("/s/token", std::string((1 << 20) + 1, 'x'));
  CHECK_FALSE(AuthorizationHeader(WithAuthorization({"Bearer", {}, "/s/token"}), files));
}

}  // namespace
}  // namespace tributary
