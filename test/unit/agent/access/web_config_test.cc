#include "agent/access/web_config.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

constexpr char kHash[] = "$2y$10$abcdefghijklmnopqrstuuCHf7DUmNUvMBdGje9JveOQe49tH5xFK";

std::string Messages(const std::string& text) {
  std::string all;
  for (const Diagnostic& each : ParseWebConfig(text, "/etc/web.yml").diagnostics) {
    all += each.ToString() + "\n";
  }
  return all;
}

TEST_CASE("web config: every option is read, and paths are those beside the file") {
  const auto result = ParseWebConfig(
      "tls_server_config:\n"
      "  cert_file: tls/a.crt\n"
      "  key_file: /run/a.key\n"
      "  client_ca_file: ca.pem\n"
      "  client_auth_type: RequireAndVerifyClientCert\n"
      "  client_allowed_sans: [a.test, 10.0.0.1]\n"
      "  min_version: TLS13\n"
      "  max_version: TLS13\n"
      "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n"
      "  curve_preferences: [X25519, CurveP256]\n"
      "  prefer_server_cipher_suites: false\n"
      "http_server_config:\n"
      "  http2: false\n"
      "  headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1}\n"
      "rate_limit: {interval: 0s}\n"
      "basic_auth_users: {ann: " +
          std::string(kHash) + "}\n",
      "/etc/web.yml");
  REQUIRE(result.config);
  CHECK(result.diagnostics.empty());
  const WebConfig& config = *result.config;
  REQUIRE(config.tls);
  CHECK(config.tls->cert_file == "/etc/tls/a.crt");
  CHECK(config.tls->key_file == "/run/a.key");
  CHECK(config.tls->client_ca_file == "/etc/ca.pem");
  CHECK(config.tls->client_auth == ClientAuth::kRequireAndVerify);
  CHECK(config.tls->client_allowed_sans == std::vector<std::string>{"a.test", "10.0.0.1"});
  CHECK(config.tls->min_version == "TLS13");
  CHECK(config.tls->curve_preferences == std::vector<std::string>{"X25519", "CurveP256"});
  CHECK_FALSE(config.tls->prefer_server_cipher_suites);
  CHECK(config.headers.at("Strict-Transport-Security") == "max-age=1");
  CHECK(config.users.at("ann").value == kHash);
}

TEST_CASE("web config: an empty file is plain HTTP for everybody") {
  const auto result = ParseWebConfig("", "/etc/web.yml");
  REQUIRE(result.config);
  CHECK(result.config->empty);
  CHECK_FALSE(result.config->tls);
  CHECK(result.config->users.empty());
}

TEST_CASE("web config: what is wrong is named with its place, and no secret is shown") {
  const std::pair<const char*, const char*> cases[] = {
      {"tls_server_config: {cert_fil: a}",
       "/etc/web.yml:1:21: error: unknown field 'cert_fil' in tls_server_config (did you mean "
       "'cert_file'?)"},
      {"\nbasic_auth_user: {}", "/etc/web.yml:2:1: error: unknown field 'basic_auth_user'"},
      {"tls_server_config: {cert_file: a}", "there is no key: give key or key_file"},
      {"tls_server_config: {key_file: a}", "there is no certificate: give cert or cert_file"},
      {"tls_server_config: {min_version: TLS12}", "there is no certificate"},
      {"tls_server_config: {cert_file: a, cert: b, key_file: c}", "exclude each other"},
      {"tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}",
       "no effect without client_auth_type"},
      {"tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [c]}",
       "no effect without client_auth_type"},
      {"tls_server_config: {cert_file: a, key_file: b, client_auth_type: Require}",
       "'Require' is not a valid 'client_auth_type'"},
      {"tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12}",
       "'max_version' is below min_version"},
      {"tls_server_config: {cert_file: a, key_file: b, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}",
       "/etc/web.yml:1:64: error: 'TLS_RSA_WITH_RC4_128_SHA' is not a valid 'cipher_suites'"},
      {"tls_server_config: {cert_file: a, key_file: b, curve_preferences: [P-256]}",
       "is not a valid 'curve_preferences'"},
      {"rate_limit: {interval: 1s, burst: 2}",
       "/etc/web.yml:1:1: error: 'rate_limit' is known, but not built yet in this version"},
      {"http_server_config: {headers: {X-Powered-By: a}}",
       "/etc/web.yml:1:32: error: the header 'X-Powered-By' cannot be configured"},
      {"http_server_config: {headers: {X-Frame-Options: maybe}}",
       "no value of the header 'X-Frame-Options'"},
      {"basic_auth_users: {ann: hidden1}",
       "/etc/web.yml:1:25: error: what stands for the user 'ann' is no bcrypt hash"},
      {"basic_auth_users: {ann: $2y$10$hidden1}", "no bcrypt hash"},
      {"basic_auth_users: [ann]", "has to be a map"},
      {"{", "/etc/web.yml:"},
  };
  for (const auto& [text, message] : cases) {
    INFO(text);
    CHECK(ParseWebConfig(text, "/etc/web.yml").config == nullptr);
    CHECK_THAT(Messages(text), Catch::Contains(message));
    CHECK(Messages(text).find("hidden1") == std::string::npos);
  }
}

TEST_CASE("web config: a hash that takes seconds is warned of") {
  std::string hash = kHash;
  hash.replace(4, 2, "18");
  CHECK_THAT(Messages("basic_auth_users: {ann: " + hash + "}"), Catch::Contains("a cost of 18"));
  CHECK(ParseWebConfig("basic_auth_users: {ann: " + hash + "}", "/etc/web.yml").config);
}

TEST_CASE("web config: bcrypt hashes are recognised") {
  CHECK(IsBcryptHash(kHash));
  for (const char* other : {"", "$2y$10$", "$1$abc$def", "$6$rounds=5000$a$b"}) {
    CHECK_FALSE(IsBcryptHash(other));
  }
  for (const auto& [at, byte] : {std::pair(2, 'x'), {4, '3'}, {4, 'a'}, {6, '.'}, {30, '$'}}) {
    std::string bad = kHash;
    bad[static_cast<size_t>(at)] = byte;
    if (at == 4 && byte == '3') bad[5] = '2';
    INFO(bad);
    CHECK_FALSE(IsBcryptHash(bad));
  }
}

}  // namespace
}  // namespace tributary
