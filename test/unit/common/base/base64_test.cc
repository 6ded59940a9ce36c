#include "common/base/base64.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("base64: as RFC 4648 has it") {
  for (const auto& [text, bytes] :
       {std::pair("", ""), std::pair("Zg==", "f"), std::pair("Zm8=", "fo"),
        std::pair("Zm9v", "foo"), std::pair("Zm9vYg==", "foob"), std::pair("+/+/", "\xfb\xff\xbf"),
        std::pair("Zm9v\r\nYmFy\n", "foobar")}) {
    CHECK(DecodeBase64(text) == std::string(bytes));
  }
}

TEST_CASE("base64: what is not that is refused") {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Z===", "=", "Zm9v!", "Zm 9v", "Zg==Zg==", "Zm8=v", "_-_-"}) {
    INFO(text);
    CHECK_FALSE(DecodeBase64(text));
  }
}

}  // namespace
}  // namespace tributary
