#include "agent/access/password_check.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

// Hashes of jBCrypt's tests, which are not by libcrypt.
const PasswordCheck::Users kUsers = {
    {"ann", {"$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"}},   // a
    {"bob", {"$2y$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"}}};  // abc

TEST_CASE("password check: a good password is found good, and then remembered") {
  PasswordCheck check;
  CHECK_FALSE(check.Recall(kUsers, {"ann", "a"}));
  CHECK(check.Compute(kUsers, {"ann", "a"}));
  CHECK(check.Recall(kUsers, {"ann", "a"}));
  CHECK(check.Compute(kUsers, {"bob", "abc"}));
  CHECK(check.Recall(kUsers, {"bob", "abc"}));
  for (const Credentials& wrong : {Credentials{"ann", "abc"},
                                   {"ann", ""},
                                   {"ann", "b"},
                                   {"bob", "abcd"},
                                   {"eve", "a"},
                                   {"", "a"},
                                   {"ann", std::string("a\0b", 3)},
                                   {"ann", std::string(1000, 'a')}}) {
    INFO(wrong.name << ":" << wrong.password);
    CHECK_FALSE(check.Recall(kUsers, wrong));
    CHECK_FALSE(check.Compute(kUsers, wrong));
    CHECK_FALSE(check.Recall(kUsers, wrong));
  }
}

TEST_CASE("password check: what was good is not once the user has another hash, or is gone") {
  PasswordCheck check;
  REQUIRE(check.Compute(kUsers, {"ann", "a"}));
  PasswordCheck::Users changed = kUsers;
  changed["ann"] = kUsers.at("bob");
  CHECK_FALSE(check.Recall(changed, {"ann", "a"}));
  CHECK_FALSE(check.Compute(changed, {"ann", "a"}));
  changed.erase("ann");
  CHECK_FALSE(check.Recall(changed, {"ann", "a"}));
  CHECK_FALSE(check.Compute({}, {"ann", "a"}));
}

TEST_CASE("password check: credentials are those of the first Authorization header") {
  const auto parsed = [](const std::string& lines) {
    return ParseBasicAuth("GET / HTTP/1.1\r\n" + lines + "\r\n");
  };
  const auto good = parsed("Host: x\r\naUTHORIZATION:  bAsIc  YW5uOmE6Yg== \r\n");
  REQUIRE(good);
  CHECK(good->name == "ann");
  CHECK(good->password == "a:b");
  CHECK(parsed("Authorization: Basic Og==\r\n")->name.empty());
  for (const char* bad :
       {"", "Authorization: Bearer YW5uOmE=\r\n", "Authorization: Basic\r\n",
        "Authorization: Basic YW5uOm\r\n", "Authorization: Basic YW5u\r\n",
        "Authorization: Basic Y!5uOmE=\r\n", "X-Authorization: Basic YW5uOmE=\r\n",
        "Authorization: Bearer x\r\nAuthorization: Basic YW5uOmE=\r\n",
        "\r\nAuthorization: Basic YW5uOmE=\r\n"}) {
    INFO(bad);
    CHECK_FALSE(parsed(bad));
  }
}

}  // namespace
}  // namespace tributary
