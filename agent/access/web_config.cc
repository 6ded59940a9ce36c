#include "agent/access/web_config.h"

#include <algorithm>
#include <array>

#include "common/config/options.h"
#include "common/config/reader.h"
#include "common/config/suggest.h"
#include "common/config/value.h"
#include "common/yaml/yaml.h"

namespace tributary {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
// 2^14 rounds take some two seconds.
constexpr int kUsualCostMax = 14;

constexpr std::string_view kVersions = "TLS10|TLS11|TLS12|TLS13";
constexpr std::string_view kClientAuthTypes =
    "NoClientCert|RequestClientCert|RequireAnyClientCert|RequireClientCert|VerifyClientCertIfGiven|"
    "RequireAndVerifyClientCert";
// Those that Go calls secure; cipher_suites says nothing of TLS 1.3, whose three are always there.
constexpr std::string_view kCipherSuites =
    "TLS_AES_128_GCM_SHA256|TLS_AES_256_GCM_SHA384|TLS_CHACHA20_POLY1305_SHA256|"
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA|TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA|"
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA|TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA|"
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256|TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256|"
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384|TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384|"
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256|TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";

bool Set(const SectionValue& section, std::string_view name) { return !section.Get(name).IsZero(); }

void CheckServerTls(SectionValue& section, CheckContext& context) {
  const auto one_of = [&](std::string_view text, std::string_view file) {
    if (Set(section, text) && Set(section, file)) {
      context.Error(
          section.Get(file), section,
          "'" + std::string(text) + "' and '" + std::string(file) + "' exclude each other");
    }
    return Set(section, text) || Set(section, file);
  };
  const bool cert = one_of("cert", "cert_file"), key = one_of("key", "key_file");
  const bool client_ca = one_of("client_ca", "client_ca_file");
  const std::string& auth = section.Text("client_auth_type");
  const bool asks = !auth.empty() && auth != "NoClientCert";
  const bool says_anything =
      std::any_of(section.section().options.begin(), section.section().options.end(),
                  [&](const Option& option) { return section.Get(option).given; });
  if (!says_anything) return;
  if (!cert) context.Error(section, "there is no certificate: give cert or cert_file");
  if (!key) context.Error(section, "there is no key: give key or key_file");
  if (client_ca && !asks) {
    context.Error(section, "a client CA has no effect without client_auth_type",
                  "to demand certificates: client_auth_type: RequireAndVerifyClientCert");
  }
  const Value& sans = section.Get("client_allowed_sans");
  if (!sans.IsZero() && !asks) {
    context.Error(sans, section, "'client_allowed_sans' has no effect without client_auth_type",
                  "to demand certificates: client_auth_type: RequireAndVerifyClientCert");
  }
  const Value& max = section.Get("max_version");
  if (max.valid && max.text < section.Text("min_version")) {
    context.Error(max, section, "'max_version' is below min_version");
  }
}

const Section& ServerTlsSection() {
  static const Section section{
      "tls_server_config",
      "TLS of the server.",
      {
          {.name = "cert"},
          {.name = "key", .type = OptionType::kSecret},
          {.name = "client_ca"},
          {.name = "cert_file", .type = OptionType::kPath},
          {.name = "key_file", .type = OptionType::kPath},
          {.name = "client_auth_type", .type = OptionType::kEnum, .values = kClientAuthTypes},
          {.name = "client_ca_file", .type = OptionType::kPath},
          {.name = "cipher_suites", .type = OptionType::kEnums, .values = kCipherSuites},
          {.name = "curve_preferences",
           .type = OptionType::kEnums,
           .values = "CurveP256|CurveP384|CurveP521|X25519"},
          {.name = "min_version",
           .type = OptionType::kEnum,
           .fallback = "TLS12",
           .values = kVersions,
           .required = true},
          {.name = "max_version",
           .type = OptionType::kEnum,
           .fallback = "TLS13",
           .values = kVersions,
           .required = true},
          {.name = "prefer_server_cipher_suites", .type = OptionType::kBool, .fallback = "true"},
          {.name = "client_allowed_sans", .type = OptionType::kStrings},
      },
      CheckServerTls};
  return section;
}

struct KnownHeader {
  std::string_view name;
  std::string_view values;  // "": any
};
constexpr KnownHeader kHeaders[] = {{"Content-Security-Policy", ""},
                                    {"Strict-Transport-Security", ""},
                                    {"X-Content-Type-Options", "nosniff"},
                                    {"X-Frame-Options", "deny|sameorigin"},
                                    {"X-XSS-Protection", ""}};

void CheckHeader(const std::string& name, const Value& value, CheckContext& context) {
  std::vector<std::string> names;
  for (const KnownHeader& known : kHeaders) {
    names.emplace_back(known.name);
    if (known.name != name) continue;
    if (!known.values.empty() && !IsListed(known.values, value.text)) {
      context.Error(value.line, value.column, "that is no value of the header '" + name + "'",
                    ChoiceHint(value.text, ListedValues(known.values)));
    }
    if (std::any_of(value.text.begin(), value.text.end(), [](char c) {
          return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
        })) {
      context.Error(value.line, value.column,
                    "the header '" + name + "' has a control character in it");
    }
    return;
  }
  context.Error(value.key_line, value.key_column, "the header '" + name + "' cannot be configured",
                ChoiceHint(name, names));
}

void CheckHttpServer(SectionValue& section, CheckContext& context) {
  for (const auto& [name, value] : section.Get("headers").entries) {
    CheckHeader(name, value, context);
  }
}

const Section& HttpServerSection() {
  static const Section section{"http_server_config",
                               "Answers of the server.",
                               {
                                   {.name = "http2",
                                    .type = OptionType::kBool,
                                    .fallback = "true",
                                    .support = Support::kNoEffect},
                                   {.name = "headers", .type = OptionType::kMap},
                               },
                               CheckHttpServer};
  return section;
}

const Section& RateLimitSection() {
  static const Section section{"rate_limit",
                               "Requests in a period.",
                               {
                                   {.name = "burst", .type = OptionType::kInt},
                                   {.name = "interval", .type = OptionType::kDuration},
                               }};
  return section;
}

void CheckFile(SectionValue& section, CheckContext& context) {
  for (const auto& [name, hash] : section.Get("basic_auth_users").entries) {
    if (!IsBcryptHash(hash.text)) {
      context.Error(hash.line, hash.column,
                    "what stands for the user '" + name + "' is no bcrypt hash",
                    "htpasswd -nBC 10 \"\" makes one");
    } else if (BcryptCost(hash.text) > kUsualCostMax) {
      context.Warning(hash.line, hash.column,
                      "the hash of the user '" + name + "' has a cost of " +
                          std::to_string(BcryptCost(hash.text)) +
                          ": to check a password once will take seconds or more");
    }
  }
}

const Section& WebSection() {
  static const Section section{"the web configuration",
                               "",
                               {
                                   {.name = "tls_server_config",
                                    .type = OptionType::kSection,
                                    .section = &ServerTlsSection()},
                                   {.name = "http_server_config",
                                    .type = OptionType::kSection,
                                    .section = &HttpServerSection()},
                                   {.name = "rate_limit",
                                    .type = OptionType::kSection,
                                    .support = Support::kNotBuilt,
                                    .section = &RateLimitSection()},
                                   {.name = "basic_auth_users", .type = OptionType::kSecretMap},
                               },
                               CheckFile};
  return section;
}

ClientAuth ClientAuthOf(const std::string& name) {
  if (name == "RequestClientCert") return ClientAuth::kRequest;
  if (name == "RequireAnyClientCert" || name == "RequireClientCert") return ClientAuth::kRequireAny;
  if (name == "VerifyClientCertIfGiven") return ClientAuth::kVerifyIfGiven;
  if (name == "RequireAndVerifyClientCert") return ClientAuth::kRequireAndVerify;
  return ClientAuth::kNone;
}

std::optional<WebTlsConfig> MakeTls(const SectionValue& section) {
  if (!Set(section, "cert") && !Set(section, "cert_file")) return std::nullopt;
  WebTlsConfig tls;
  tls.cert = section.Text("cert");
  tls.client_ca = section.Text("client_ca");
  tls.key = {section.Text("key")};
  tls.cert_file = section.Text("cert_file");
  tls.key_file = section.Text("key_file");
  tls.client_ca_file = section.Text("client_ca_file");
  tls.client_auth = ClientAuthOf(section.Text("client_auth_type"));
  tls.client_allowed_sans = section.Get("client_allowed_sans").Texts();
  tls.min_version = section.Text("min_version");
  tls.max_version = section.Text("max_version");
  tls.cipher_suites = section.Get("cipher_suites").Texts();
  tls.curve_preferences = section.Get("curve_preferences").Texts();
  tls.prefer_server_cipher_suites = section.Flag("prefer_server_cipher_suites");
  return tls;
}

bool IsError(const Diagnostic& diagnostic) {
  return diagnostic.severity == Diagnostic::Severity::kError;
}

}  // namespace

WebConfigResult ParseWebConfig(const std::string& text, const std::string& path) {
  WebConfigResult result;
  CheckContext context(path, result.diagnostics);
  const YamlDocument document = ParseYaml(text);
  for (const YamlProblem& problem : document.problems) {
    problem.warning ? context.Warning(problem.line, problem.column, problem.message)
                    : context.Error(problem.line, problem.column, problem.message);
  }
  if (!document.complete) return result;
  const SectionValue section = ReadSection(document.root, WebSection(), FolderOf(path), context);
  std::stable_sort(result.diagnostics.begin(), result.diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                   });
  if (std::any_of(result.diagnostics.begin(), result.diagnostics.end(), IsError)) return result;
  auto config = std::make_shared<WebConfig>();
  config->empty = document.root.is_null();
  config->tls = MakeTls(*section.Sub("tls_server_config"));
  for (const auto& [name, value] : section.Sub("http_server_config")->Get("headers").entries) {
    config->headers[name] = value.text;
  }
  for (const auto& [name, value] : section.Get("basic_auth_users").entries) {
    config->users[name] = {value.text};
  }
  result.config = std::move(config);
  return result;
}

WebConfigResult LoadWebConfig(FileSystem& files, const std::string& path) {
  const Result<std::string> text = files.ReadFile(path, kFileBytesMax);
  if (text) return ParseWebConfig(*text, path);
  WebConfigResult result;
  result.unreadable = true;
  CheckContext(path, result.diagnostics).Error(0, 0, "cannot be read: " + text.error().message);
  return result;
}

std::string ErrorText(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (IsError(diagnostic)) text += (text.empty() ? "" : "\n") + diagnostic.ToString();
  }
  return text;
}

bool IsBcryptHash(const std::string& text) {
  constexpr size_t kBytes = 60;
  if (text.size() != kBytes || text[0] != '$' || text[1] != '2' || text[3] != '$' ||
      text[6] != '$') {
    return false;
  }
  if (text[2] != 'a' && text[2] != 'b' && text[2] != 'y') return false;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!is_digit(text[4]) || !is_digit(text[5])) return false;
  if (const int cost = BcryptCost(text); cost < 4 || cost > 31) return false;
  return std::all_of(text.begin() + 7, text.end(), [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
  });
}

int BcryptCost(const std::string& hash) { return (hash[4] - '0') * 10 + (hash[5] - '0'); }

}  // namespace tributary
