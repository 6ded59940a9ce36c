#include "agent/access/web_access.h"
#include "test/support/catch.h"
#include "test/support/test_ca.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {
namespace {

constexpr char kUsers[] =
    "basic_auth_users: {ann: $2y$04$abcdefghijklmnopqrstuuCHf7DUmNUvMBdGje9JveOQe49tH5xFK}\n";
constexpr char kTls[] = "tls_server_config: {cert_file: a.crt, key_file: a.key}\n";

struct World {
  MemoryFiles files;
  std::vector<std::string> problems;
  std::unique_ptr<WebAccess> access;

  explicit World(MemoryFiles start) : files(std::move(start)) {
    auto opened = WebAccess::Open(files, "/w/web.yml",
                                  [this](const std::string& why) { problems.push_back(why); });
    REQUIRE(opened);
    access = std::move(*opened);
  }
};

TEST_CASE("web access: what has changed is in force at the next connection") {
  World world({{"/w/web.yml", kUsers}});
  const auto first = world.access->Current();
  CHECK(first->config->users.size() == 1);
  CHECK(world.access->Current()->config->users.size() == 1);
  world.files = {{"/w/web.yml", "http_server_config: {headers: {X-Frame-Options: deny}}"}};
  CHECK(world.access->Current()->config->users.empty());
  CHECK(world.access->Current()->config->headers.size() == 1);
  CHECK(first->config->users.size() == 1);  // of connections that are there
  CHECK(world.problems.empty());
}

TEST_CASE("web access: rules that cannot be used leave the last good ones, and are told once") {
  World world({{"/w/web.yml", kUsers}});
  REQUIRE(world.access->Current()->config->users.size() == 1);
  for (const MemoryFiles& bad : {MemoryFiles{{"/w/web.yml", "basic_auth_users: {ann: x}"}},
                                 MemoryFiles{{"/w/web.yml", ""}},    // being written
                                 MemoryFiles{{"/w/web.yml", kTls}},  // TLS only by a restart
                                 MemoryFiles{}}) {
    world.problems.clear();
    world.files = bad;
    for (int i = 0; i < 3; i++) CHECK(world.access->Current()->config->users.size() == 1);
    CHECK(world.problems.size() == 1);
    CHECK_FALSE(world.access->last_read_good());
  }
  world.files = {{"/w/web.yml", kUsers}};
  CHECK(world.access->Current()->config->users.size() == 1);
  CHECK(world.access->last_read_good());
}

TEST_CASE("web access: a certificate that comes before its key changes nothing until both fit") {
  const TestCa ca("ca");
  const TestCertificate old_pair = ca.Issue("a", {"DNS:a.test"}),
                        pair = ca.Issue("a", {"DNS:a.test"});
  World world(
      {{"/w/web.yml", kTls}, {"/w/a.crt", old_pair.certificate}, {"/w/a.key", old_pair.key}});
  const auto before = world.access->Current()->tls;
  REQUIRE(before);
  world.files = {{"/w/web.yml", kTls}, {"/w/a.crt", pair.certificate}, {"/w/a.key", old_pair.key}};
  CHECK(world.access->Current()->tls == before);
  REQUIRE(world.problems.size() == 1);
  CHECK_THAT(world.problems[0], Catch::Contains("/w/a.key is not that of the certificate"));
  world.files = {{"/w/web.yml", kTls}, {"/w/a.crt", pair.certificate}, {"/w/a.key", pair.key}};
  const auto after = world.access->Current()->tls;
  CHECK(after != before);
  CHECK(world.access->Current()->tls == after);  // parsed once
  // TLS is not switched off by a file that says no more of it.
  world.files = {{"/w/web.yml", kUsers}};
  CHECK(world.access->Current()->tls == after);
  CHECK(world.access->Current()->config->users.empty());
}

TEST_CASE("web access: a file that a new configuration names, and that comes later, is found") {
  const TestCa ca("ca");
  const TestCertificate pair = ca.Issue("a", {"DNS:a.test"});
  World world({{"/w/web.yml", kTls}, {"/w/a.crt", pair.certificate}, {"/w/a.key", pair.key}});
  const auto before = world.access->Current()->tls;
  const std::string other = "tls_server_config: {cert_file: b.crt, key_file: a.key}\n";
  world.files = {{"/w/web.yml", other}, {"/w/a.crt", pair.certificate}, {"/w/a.key", pair.key}};
  CHECK(world.access->Current()->tls == before);
  world.files = {{"/w/web.yml", other},
                 {"/w/a.crt", pair.certificate},
                 {"/w/b.crt", pair.certificate},
                 {"/w/a.key", pair.key}};
  CHECK(world.access->Current()->tls != before);
  CHECK(world.access->last_read_good());
}

TEST_CASE("web access: what cannot be used at the start is an error without secrets") {
  const TestCa ca("ca");
  const TestCertificate pair = ca.Issue("a", {"DNS:a.test"});
  const std::string client_ca =
      "tls_server_config: {cert_file: a.crt, key_file: a.key, client_auth_type: "
      "RequireAndVerifyClientCert, client_ca_file: ca.pem}\n";
  const std::pair<MemoryFiles, const char*> cases[] = {
      {{}, "/w/web.yml: error: cannot be read"},
      {{{"/w/web.yml", kTls}}, "no such file"},
      {{{"/w/web.yml", kTls}, {"/w/a.crt", "hidden"}, {"/w/a.key", pair.key}},
       "no certificate in /w/a.crt"},
      {{{"/w/web.yml", kTls}, {"/w/a.crt", pair.certificate}, {"/w/a.key", "hidden"}},
       "no usable key in /w/a.key"},
      {{{"/w/web.yml", client_ca},
        {"/w/a.crt", pair.certificate},
        {"/w/a.key", pair.key},
        {"/w/ca.pem", "hidden"}},
       "no CA certificate in /w/ca.pem"},
      {{{"/w/web.yml", client_ca},
        {"/w/a.crt", pair.certificate},
        {"/w/a.key", pair.key},
        {"/w/ca.pem", ""}},
       "/w/ca.pem is empty"}};
  for (const auto& [texts, message] : cases) {
    MemoryFiles files = texts;
    const auto terms = LoadWebTerms(files, "/w/web.yml");
    REQUIRE_FALSE(terms);
    CHECK_THAT(terms.error().message, Catch::Contains(message));
    CHECK(terms.error().message.find("hidden") == std::string::npos);
  }
}

}  // namespace
}  // namespace tributary
