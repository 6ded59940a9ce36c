// Signatures against those of aws-sdk-go-v2's signer/v4, as prometheus/sigv4 0.5 calls it; those of
// "get-vanilla" and "get-vanilla-query-order-key-case" are also in AWS' published test suite.
#include "common/aws/sigv4.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr TimestampMs kTime = 1'440'938'160'999;  // 2015-08-30 12:36:00.999
constexpr char kHost[] = "https://example.amazonaws.com";

AwsCredentials Keys() {
  AwsCredentials keys;
  keys.access_key_id = "AKIDEXAMPLE";
  keys.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  return keys;
}

struct Signed {
  HttpRequest request;
  std::string Header(std::string_view name) const {
    return std::string(FindHeader(request.headers, name));
  }
  std::string After(const std::string& key) const {
    const std::string authorization = Header("Authorization");
    const size_t at = authorization.find(key);
    if (at == std::string::npos) return "";
    const size_t begin = at + key.size();
    return authorization.substr(begin, authorization.find(',', begin) - begin);
  }
  std::string signature() const { return After("Signature="); }
  std::string names() const { return After("SignedHeaders="); }
};

Signed Sign(HttpRequest request, const SigningScope& scope, const AwsCredentials& keys = Keys()) {
  std::vector<std::string> names;
  for (const HttpHeader& header : request.headers) names.push_back(header.name);
  SignRequest(request, names, keys, scope, kTime);
  return {std::move(request)};
}

Signed SignGet(const std::string& url, std::vector<HttpHeader> headers = {}) {
  HttpRequest request;
  request.url = url;
  request.headers = std::move(headers);
  return Sign(std::move(request), {"us-east-1", "service"});
}

HttpRequest RemoteWrite(const std::string& url) {
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.headers = {{"Content-Encoding", "snappy"},
                     {"Content-Type", "application/x-protobuf"},
                     {"User-Agent", "agent/1"},
                     {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
  request.body = std::make_shared<const std::string>("abc");
  return request;
}

constexpr char kWorkspace[] =
    "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

TEST_CASE("sigv4: paths and queries are sent and signed in their normal form") {
  struct Vector {
    std::string target, sent, signature;
  };
  const Vector kVectors[] = {
      {"", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"/", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"/..", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"//a//b/", "/a/b/", "125084d05882beb82770f7553eca9dc5479bd484c2579776817cc0a340800974"},
      {"/a/./b/../c", "/a/c", "ca38e935d3755995c54c9507f4222dbeafacd561e8d3100bb0679299b181a0f4"},
      {"/a%2Fb/c", "/a%2Fb/c", "006eff3d53d3fa15e6340e61e016213e7f99291f4bf407e953a1b0ec30bae5da"},
      {"/a%20b", "/a%20b", "08c33fd523b5dc18699a2c38863929f12203a282c033d442d45b59a096458aa6"},
      {"/ሴ", "/%E1%88%B4", "697b34846207a3f72246f99d74ae1ee4fe54f44bb06730c58a0d339eb079596d"},
      {"/a!b*c'(d)", "/a!b*c'(d)",
       "50f83d0617aae1e9325b404c0593d93c26c6275a9814ef23d063f06c88984c51"},
      {"/x/!//y", "/x/%21/y", "7cd91c557142b253a1ab64ee14e7f896f2c2b40ca73340de81f72c1a59c598b8"},
      {"/a%2fb//c", "/a/b/c", "5b8beaf5bc8ec393abc7f20335be2af8f2c00482ca7e8f16b5f5e1448befd07d"},
      {"/a+b:c@d=e&f$g,h;i", "/a+b:c@d=e&f$g,h;i",
       "086cd512bb4bd59a6821e6245c40eff9998f6d48eea87e62663098a9b10cc2ab"},
      {"/a%3Fb", "/a%3Fb", "12f7051389efb620044b86b2d3004f280b4840987d3e8337fda38bf9a3b8fbc6"},
      {"/a/b/..", "/a", "e7dfad111cdad6139e285ddec7592de69207ee936e9af6cffa906e281325f76a"},
      {"/?Param2=value2&Param1=value1", "/?Param1=value1&Param2=value2",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"/?b=2&a=2&a=1&a=", "/?a=&a=1&a=2&b=2",
       "cfa2f0bdf03e4830f407aa7276cad802dbb238909f2920d00e1307cc9e0eb0d8"},
      {"/p?x=a+b&y=a%2Bb&z=%20", "/p?x=a%20b&y=a%2Bb&z=%20",
       "b4052049257a1652b577c2269a0242f905a0fa198b00af61244bc9b760096284"},
      {"/?bad=%zz&good=1", "/?good=1",
       "9b1b401250ef2a58d85c6b7b058a0d0899904ee91cd331c19ffbeb38514c764f"},
      {"/?a;b=1&c=2", "/?c=2", "d92ed46026dc85108c21954e046e982f00a3ad2ff6a10e31e32a8993648b37c7"},
      {"/?x", "/?x=", "f10c781d7da6bc6e36060482b8d411791f09f27766aff6f70e0ed8af4a40205c"},
      {"?q=1", "?q=1", "51b81d353d028fb460c4d0f2316742d4abde5e0db6334e119a63922df3ee4d41"},
      {"/a?b#c", "/a?b=", "c585e3531373eca9edce60064e743131291c1e7db2b5bcd1bc5dd6024cf4b1ca"},
  };
  for (const Vector& vector : kVectors) {
    CAPTURE(vector.target);
    const Signed got = SignGet(kHost + vector.target);
    CHECK(got.request.url == kHost + vector.sent);
    CHECK(got.signature() == vector.signature);
    CHECK(got.names() == "host;x-amz-date");
  }
  CHECK(NormalUrl("http://u:p@h/a b") == "http://u:p@h/a%20b");
  CHECK(NormalUrl("http://h/bad%zz//x") == "http://h/bad%zz//x");
}

TEST_CASE("sigv4: a request of remote write is signed with the headers of the protocol") {
  const Signed got = Sign(RemoteWrite(kWorkspace), {"eu-west-1", "aps"});
  CHECK(got.Header("Authorization") ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/aps/aws4_request, "
        "SignedHeaders=content-encoding;content-length;content-type;host;x-amz-date;"
        "x-prometheus-remote-write-version, "
        "Signature=f8abb43567787ef6ee98322f247e25c9230e65b042e53fc89c1b6dba9859b460");
  CHECK(got.Header("X-Amz-Date") == "20150830T123600Z");
  CHECK(got.Header("X-Amz-Security-Token").empty());
  CHECK(got.request.url == kWorkspace);
}

TEST_CASE("sigv4: a session token and the retry's number are signed, a trace id is not") {
  AwsCredentials keys = Keys();
  keys.session_token = "to/ken==";
  HttpRequest request = RemoteWrite(kWorkspace);
  request.headers.push_back({"Retry-Attempt", "2"});
  request.headers.push_back({"Uber-Trace-Id", "t"});
  const Signed got = Sign(std::move(request), {"eu-west-1", "aps"}, keys);
  CHECK(got.signature() == "73d3d2e1535c3d794dee43cc2c782aa82eb776a27626cc8771b5ae385726e9ac");
  CHECK(got.Header("X-Amz-Security-Token") == "to/ken==");
  CHECK(got.Header("Uber-Trace-Id") == "t");
}

TEST_CASE("sigv4: the host is signed without its scheme's own port") {
  const std::pair<const char*, const char*> kVectors[] = {
      {"https://h:443/p", "880314cdc563c0b4727997414abe7c201e9f58d8f4e3fcc37a94bb97cba3dea8"},
      {"http://h:80/p", "880314cdc563c0b4727997414abe7c201e9f58d8f4e3fcc37a94bb97cba3dea8"},
      {"https://h:80/p", "2b15ecbdb5bbcbb322d6a60a11457866bb7e0d046ed0cf9ae3b87b5999206682"},
      {"http://h:8080/p", "ada3dd92ddbd2c975cdb63f22a20ccd42a15a2bbee4aaaf8ebfa5f4843b6d5e1"},
      {"http://[::1]:9090/p", "6401f91594f488590c91ea7076d9891b9b2fd99c045032a7a1ac1b1c926ff49c"},
  };
  for (const auto& [url, signature] : kVectors) {
    CAPTURE(url);
    HttpRequest request;
    request.method = "POST";
    request.url = url;
    request.body = std::make_shared<const std::string>("x");
    CHECK(Sign(std::move(request), {"us-east-1", "aps"}).signature() == signature);
  }
}

TEST_CASE("sigv4: values are signed without needless spaces, several of a name together") {
  CHECK(SignGet("https://example.amazonaws.com/",
                {{"My-Header1", "  value1"}, {"My-Header2", " \"a   b   c\" "}})
            .signature() == "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
  CHECK(SignGet("https://example.amazonaws.com/",
                {{"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"}})
            .signature() == "4308aee29786bd01288955ced08fec4107b7a775176774808d7342b80eec106b");
}

TEST_CASE("sigv4: headers that are not named are sent unsigned") {
  HttpRequest request;
  request.url = std::string(kHost) + "/";
  request.headers = {{"X-Scope-OrgID", "t"}};
  SignRequest(request, {}, Keys(), {"us-east-1", "service"}, kTime);
  const Signed got{std::move(request)};
  CHECK(got.signature() == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  CHECK(got.Header("X-Scope-OrgID") == "t");
}

// The example of S3's own documentation, "GET Object".
TEST_CASE("sigv4: as S3 has it, with the body's hash and the path as it is") {
  AwsCredentials keys;
  keys.access_key_id = "AKIAIOSFODNN7EXAMPLE";
  keys.secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  HttpRequest request;
  request.url = "https://examplebucket.s3.amazonaws.com/test.txt";
  request.headers = {
      {"Range", "bytes=0-9"},
      {"X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}};
  SignRequest(request, {"Range", "X-Amz-Content-Sha256"}, keys, {"us-east-1", "s3", true},
              1'369'353'600'000);
  CHECK(Signed{request}.signature() ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  request.url = "https://examplebucket.s3.amazonaws.com/a//../b%20c";
  SignRequest(request, {}, keys, {"us-east-1", "s3", true}, kTime);
  CHECK(request.url == "https://examplebucket.s3.amazonaws.com/a//../b%20c");
}

TEST_CASE("sigv4: signing again replaces the signature") {
  AwsCredentials keys = Keys();
  keys.session_token = "token";
  Signed first = Sign(RemoteWrite(kWorkspace), {"eu-west-1", "aps"}, keys);
  SignRequest(first.request,
              {"Content-Encoding", "Content-Type", "X-Prometheus-Remote-Write-Version"}, Keys(),
              {"eu-west-1", "aps"}, kTime);
  CHECK(first.signature() == "f8abb43567787ef6ee98322f247e25c9230e65b042e53fc89c1b6dba9859b460");
  CHECK(first.request.headers.size() == 6);
}

TEST_CASE("sigv4: a URL that no transport takes is left for it to refuse") {
  HttpRequest request;
  request.url = "ftp://h/a//b";
  SignRequest(request, {}, Keys(), {"r", "s"}, kTime);
  CHECK(request.url == "ftp://h/a//b");
  CHECK(request.headers.empty());
}

}  // namespace
}  // namespace tributary
