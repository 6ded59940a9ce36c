#include "common/aws/credentials.h"

#include <string>

#include "common/aws/xml.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

std::string StsAnswer(const std::string& credentials) {
  return "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
         "  <AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>\n"
         "    <Credentials>" +
         credentials + "</Credentials>\n  </AssumeRoleResult>\n</AssumeRoleResponse>\n";
}

TEST_CASE("aws credentials: the metadata services' JSON is read") {
  const auto got = ReadMetadataCredentials(
      200,
      R"({"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T",)"
      R"("Expiration":"2023-11-14T23:13:20Z"})");
  REQUIRE(got);
  CHECK(got->access_key_id == "AK");
  CHECK(got->secret_access_key == "SK");
  CHECK(got->session_token == "T");
  CHECK(got->expires == 1'700'003'600'000);
  CHECK_FALSE(ReadMetadataCredentials(200, R"({"AccessKeyId":"AK","SecretAccessKey":"SK"})")
                  ->expires.has_value());
}

TEST_CASE("aws credentials: what is wrong with an answer is said, and no key of it") {
  struct Wrong {
    int status;
    const char* body;
    const char* message;
  };
  const Wrong kWrong[] = {
      {200, "x", "answered 200: with what is no JSON object"},
      {500, "x", "answered 500"},
      {200, "{}", "answered 200: without keys"},
      {200, R"({"AccessKeyId":"AK"})", "answered 200: without keys"},
      {200, R"({"Code":"Failed","Message":"no\nrole","AccessKeyId":"AK","SecretAccessKey":"S"})",
       "answered 200: Failed, no role"},
      {403, R"({"code":"AccessDenied","message":"no"})", "answered 403: AccessDenied, no"},
      {200, R"({"AccessKeyId":"A\nK","SecretAccessKey":"SK"})",
       "answered 200: with keys no header can hold"},
      {200, R"({"AccessKeyId":"AK","SecretAccessKey":"SK","Expiration":"soon"})",
       "answered 200: with an Expiration that is no time"},
  };
  for (const Wrong& wrong : kWrong) {
    CAPTURE(wrong.body);
    const auto got = ReadMetadataCredentials(wrong.status, wrong.body);
    REQUIRE_FALSE(got);
    CHECK(got.error().message == wrong.message);
  }
}

TEST_CASE("aws credentials: STS' XML is read") {
  const auto got = ReadStsCredentials(
      200, StsAnswer("<AccessKeyId>AK</AccessKeyId><SecretAccessKey>S&amp;K</SecretAccessKey>"
                     "<SessionToken>\n  T==\n</SessionToken>"
                     "<Expiration>2023-11-14T23:13:20.250Z</Expiration>"));
  REQUIRE(got);
  CHECK(got->access_key_id == "AK");
  CHECK(got->secret_access_key == "S&K");
  CHECK(got->session_token == "T==");
  CHECK(got->expires == 1'700'003'600'250);
}

TEST_CASE("aws credentials: STS' errors are told in its words") {
  const auto denied =
      ReadStsCredentials(403,
                         "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                         "<Message>not you</Message></Error></ErrorResponse>");
  REQUIRE_FALSE(denied);
  CHECK(denied.error().message == "answered 403: AccessDenied, not you");
  CHECK(ReadStsCredentials(503, "busy").error().message == "answered 503");
  CHECK(ReadStsCredentials(200, "<A><B/></A>").error().message ==
        "answered 200: without Credentials");
  CHECK(ReadStsCredentials(200, "<A>").error().message ==
        "answered 200: with XML that cannot be read: no element found in line 1");
}

TEST_CASE("aws credentials: times are read with their fraction and zone") {
  CHECK(ParseAwsTime("2023-11-14T22:13:20Z") == 1'700'000'000'000);
  CHECK(ParseAwsTime("2023-11-14T22:13:20.0015Z") == 1'700'000'000'001);
  CHECK(ParseAwsTime("2023-11-15T00:13:20+02:00") == 1'700'000'000'000);
  CHECK(ParseAwsTime("2023-11-14T20:43:20-01:30") == 1'700'000'000'000);
  for (const char* bad : {"", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20+0200",
                          "2023-11-14T22:13:20Zx", "2023-13-14T22:13:20Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseAwsTime(bad).has_value());
  }
}

TEST_CASE("aws xml: the tree has local names and texts, which are trimmed but for leaves") {
  const auto root = ParseXml("<?xml version='1.0'?><x:a x:b='1'> t <c> 1\n</c><c>2</c> u </x:a>");
  REQUIRE(root);
  CHECK(root->name == "a");
  CHECK(root->text == "t  u");
  REQUIRE(root->children.size() == 2);
  CHECK(root->children[0].text == " 1\n");
  CHECK(root->children[1].text == "2");
  CHECK(root->Text("c") == "1");
  CHECK(root->Text("d").empty());
  CHECK(root->Find("d") == nullptr);
}

TEST_CASE("aws xml: document types, depth and broken text are refused") {
  std::string deep, ends;
  for (int i = 0; i < 33; i++) {
    deep += "<a>";
    ends += "</a>";
  }
  CHECK(ParseXml(deep.substr(3) + ends.substr(4)));
  CHECK_FALSE(ParseXml(deep + ends));
  CHECK_FALSE(ParseXml("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"));
  for (const char* bad : {"", "x", "<a></b>", "<a/><b/>", "<a>&e;</a>"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseXml(bad));
  }
}

}  // namespace
}  // namespace tributary
