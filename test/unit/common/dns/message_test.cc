#include "common/dns/message.h"

#include <random>

#include "test/support/catch.h"
#include "test/support/dns_message.h"

namespace tributary {
namespace {

const std::string kQuestion = DnsNameBytes("web.local.") + DnsWord(33) + DnsWord(1);

std::string Bytes(std::vector<DnsRecordBytes> records) {
  return DnsAnswerBytes({7, 0, false, kQuestion, std::move(records)});
}

std::string AddressOf(const std::string& sixteen_bytes) {
  const auto message = ParseDnsMessage(Bytes({DnsAaaa(sixteen_bytes)}));
  REQUIRE(message.has_value());
  REQUIRE(message->answers.size() == 1);
  return message->answers[0].value;
}

TEST_CASE("dns message: records of every type that makes a target are read") {
  const auto message = ParseDnsMessage(Bytes({
      DnsSrv("a.web.local.", 9100),
      DnsA("\x0A\x01\x02\xFF"),
      DnsMx("mail.local."),
      DnsNamed(DnsType::kNs, "ns.local."),
      DnsNamed(DnsType::kCname, "other.local."),
      {16, "\3txt"},
      DnsSrv(".", 0),
  }));
  REQUIRE(message.has_value());
  CHECK(message->rcode == kDnsNoError);
  CHECK_FALSE(message->truncated);
  const std::vector<DnsRecord> expected = {{33, "a.web.local.", 9100},
                                           {1, "10.1.2.255", 0},
                                           {15, "mail.local.", 0},
                                           {2, "ns.local.", 0},
                                           {5, "", 0},
                                           {16, "", 0},
                                           {33, ".", 0}};
  CHECK(message->answers == expected);
}

TEST_CASE("dns message: the code and the mark of truncation are read") {
  const auto missing = ParseDnsMessage(DnsAnswerBytes({1, 3, false, kQuestion, {}}));
  REQUIRE(missing.has_value());
  CHECK(missing->rcode == kDnsNameError);
  CHECK(missing->answers.empty());
  CHECK(ParseDnsMessage(DnsAnswerBytes({1, 0, true, kQuestion, {}}))->truncated);
}

TEST_CASE("dns message: addresses of IPv6 are printed as Go prints them") {
  using namespace std::string_literals;
  CHECK(AddressOf("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s) == "2001:db8::1");
  CHECK(AddressOf("\x20\x01\x0d\xb8\0\1\0\0\0\1\0\1\0\1\0\1"s) == "2001:db8:1:0:1:1:1:1");
  CHECK(AddressOf("\x20\x01\0\0\0\0\0\1\0\0\0\0\0\0\0\1"s) == "2001:0:0:1::1");
  CHECK(AddressOf("\0\1\0\0\0\0\0\1\0\0\0\0\0\1\0\1"s) == "1::1:0:0:1:1");
  CHECK(AddressOf("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s) == "fe80::");
  CHECK(AddressOf(std::string(16, '\0')) == "::");
  CHECK(AddressOf(std::string(15, '\0') + '\1') == "::1");
  CHECK(AddressOf("\0\0\0\0\0\0\0\0\0\0\0\0\1\2\3\4"s) == "::102:304");
  CHECK(AddressOf("\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4"s) == "1.2.3.4");
}

TEST_CASE("dns message: names follow pointers and are escaped") {
  using namespace std::string_literals;
  // "x" in front of the question's "local", which begins 16 bytes into the message.
  const auto message = ParseDnsMessage(
      Bytes({{2, "\1x\xC0\x10"s}, {2, "\7a.b @\\\x07\3\xff\x7f~\0"s}, {2, "\xC0\x0C"s}}));
  REQUIRE(message.has_value());
  CHECK(message->answers[0].value == "x.local.");
  CHECK(message->answers[1].value == "a\\.b\\ \\@\\\\\\007.\\255\\127~.");
  CHECK(message->answers[2].value == "web.local.");
}

TEST_CASE("dns message: what is broken is an error") {
  using namespace std::string_literals;
  const std::vector<DnsRecordBytes> broken = {
      {1, "abc"},           // an address of three bytes
      {1, "abcde"},         // and of five
      {28, "abcd"},         //
      {2, ""},              // no name
      {2, "\1"},            // a label that is not there
      {2, "\1a"},           // a name without an end
      {2, "\1a\0x"s},       // more than a name
      {2, "\xC0\x27"s},     // a pointer to itself
      {2, "\xFF\xFF"s},     // a pointer out of the message
      {2, "\x41xxxxx"s},    // a reserved kind of label
      {15, "\0"s},          //
      {33, "\0\0\0\0\0"s},  //
      {33, DnsWord(1) + DnsWord(1) + DnsWord(80)},
  };
  for (const DnsRecordBytes& record : broken) {
    INFO(record.type << " of " << record.data.size());
    CHECK_FALSE(ParseDnsMessage(Bytes({record})).has_value());
    CHECK_FALSE(ParseDnsMessage(Bytes({DnsA("abcd"), record})).has_value());
  }
  std::string name;  // of 256 bytes
  for (int i = 0; i < 4; i++) name += std::string(1, 62) + std::string(62, 'a');
  CHECK(ParseDnsMessage(Bytes({{2, name.substr(0, 252) + '\0'}})).has_value());
  CHECK_FALSE(ParseDnsMessage(Bytes({{2, name + "\2aa\0"s}})).has_value());
}

TEST_CASE("dns message: every prefix of a message is an error, and no noise does harm") {
  const std::string whole = Bytes({DnsSrv("a.web.local.", 9100), DnsMx("mail.local.")});
  REQUIRE(ParseDnsMessage(whole).has_value());
  for (size_t size = 0; size < whole.size(); size++) {
    CHECK_FALSE(ParseDnsMessage(whole.substr(0, size)).has_value());
  }
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; round++) {
    std::string noisy = whole;
    for (size_t i = random() % 4; i <= 4; i++) {
      noisy[random() % noisy.size()] = static_cast<char>(random());
    }
    const auto message = ParseDnsMessage(noisy);
    if (message) CHECK(message->answers.size() <= noisy.size() / 11);
  }
}

}  // namespace
}  // namespace tributary
