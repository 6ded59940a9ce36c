// prometheus/common config/http_config.go (HTTPClientConfig.Validate, TLSConfig.Validate) and
// config/headers.go.
#include <algorithm>
#include <array>
#include <cctype>

#include "common/config/checks.h"

namespace tributary {
namespace {

bool Set(const SectionValue& section, std::string_view name) { return !section.Get(name).IsZero(); }

// At most one of the options may be there. The problem is shown at the last of them in the file.
void AtMostOne(const SectionValue& section, CheckContext& context,
               std::initializer_list<std::string_view> names) {
  std::string list;
  const Value* last = nullptr;
  int count = 0;
  for (std::string_view name : names) {
    const Value& value = section.Get(name);
    if (value.IsZero()) continue;
    list += (list.empty() ? "" : ", ") + std::string(name);
    ++count;
    if (last == nullptr || value.line > last->line) last = &value;
  }
  if (count > 1) {
    context.Error(last->key_line, last->key_column, "at most one of " + list + " can be given");
  }
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string Trim(const std::string& text) {
  size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

constexpr std::array<std::string_view, 19> kReservedHeaders = {
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
    // Set by the transport itself, and a way to smuggle requests.
    "transfer-encoding",
};

void CheckAuthorization(SectionValue& section, CheckContext& context) {
  SectionValue& authorization = *section.Sub("authorization");
  AtMostOne(authorization, context, {"credentials", "credentials_file", "credentials_ref"});
  Value& type = authorization.Set("type");
  type.text = Trim(type.text);
  if (type.text.empty()) type.text = "Bearer";
  if (Lower(type.text) == "basic") {
    context.Error(type, authorization, "'type' cannot be basic", "use basic_auth");
  }
}

// bearer_token and bearer_token_file are old names for an authorization.
void MoveBearerToken(SectionValue& section) {
  for (auto [old_name, new_name] : {std::pair("bearer_token", "credentials"),
                                    std::pair("bearer_token_file", "credentials_file")}) {
    Value old = section.Get(old_name);
    if (old.IsZero()) continue;
    Value& authorization = section.Set("authorization");
    if (authorization.sections.empty()) {
      authorization.sections.emplace_back(*authorization.option->section);
    }
    Value& value = authorization.sections.front().Set(new_name);
    value.text = old.text;
    value.given = true;
    value.line = old.line;
    value.column = old.column;
    section.Erase(old_name);
  }
}

void CheckOauth2(const SectionValue& oauth2, CheckContext& context) {
  constexpr std::string_view kJwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  if (oauth2.Text("grant_type") == kJwtBearer) {
    context.Error(
        oauth2.Get("grant_type"), oauth2,
        "the JWT bearer grant is known for 'grant_type', but not built yet in this version");
    AtMostOne(
        oauth2, context,
        {"client_certificate_key", "client_certificate_key_file", "client_certificate_key_ref"});
    const Value& algorithm = oauth2.Get("signature_algorithm");
    if (!algorithm.IsZero() && !IsListed("RS256|RS384|RS512", algorithm.text)) {
      context.Error(algorithm, oauth2, "'signature_algorithm' has to be RS256, RS384 or RS512");
    }
  } else {
    AtMostOne(oauth2, context, {"client_secret", "client_secret_file", "client_secret_ref"});
  }
}

bool IsHeaderName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isgraph(static_cast<unsigned char>(c)) != 0 && c != ':';
  });
}

void CheckHeaderValue(const std::string& name, const Value& value, CheckContext& context) {
  if (value.text.find_first_of("\r\n") == std::string::npos) return;
  context.Error(value.line, value.column, "the header '" + name + "' has a line break in it");
}

void CheckProxy(const SectionValue& section, CheckContext& context) {
  const Value& environment = section.Get("proxy_from_environment");
  const Value& url = section.Get("proxy_url");
  const Value& no_proxy = section.Get("no_proxy");
  const Value& header = section.Get("proxy_connect_header");
  for (const auto& [name, values] : header.entries) {
    if (!IsHeaderName(name)) {
      context.Error(values.key_line, values.key_column,
                    "'" + name + "' cannot be the name of a header");
    }
    for (const Value& value : values.items) CheckHeaderValue(name, value, context);
  }
  if (!header.IsZero() && !environment.flag && url.IsZero()) {
    context.Error(header, section,
                  "'proxy_connect_header' needs proxy_url or proxy_from_environment");
  }
  if (environment.flag && !url.IsZero()) {
    context.Error(environment, section, "proxy_from_environment and proxy_url exclude each other");
  }
  if (environment.flag && !no_proxy.IsZero()) {
    context.Error(no_proxy, section, "proxy_from_environment and no_proxy exclude each other");
  } else if (!url.given && !no_proxy.IsZero()) {
    context.Error(no_proxy, section, "'no_proxy' needs proxy_url");
  }
}

}  // namespace

void CheckHttpHeaders(const Value& headers, CheckContext& context) {
  auto check = [&](const std::string& name, int line, int column) {
    std::string lower = Lower(name);
    if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower) !=
        kReservedHeaders.end()) {
      std::string hint = lower == "authorization" ? "use basic_auth or authorization" : "";
      context.Error(line, column, "the header '" + name + "' is reserved", std::move(hint));
    } else if (!IsHeaderName(name)) {
      context.Error(line, column, "'" + name + "' cannot be the name of a header");
    }
  };
  for (size_t i = 0; i < headers.names.size(); ++i) {
    const SectionValue& section = headers.sections[i];
    check(headers.names[i], section.line, section.column);
    for (std::string_view list : {"values", "secrets"}) {
      for (const Value& value : section.Get(list).items) {
        CheckHeaderValue(headers.names[i], value, context);
      }
    }
  }
  for (const auto& [name, value] : headers.entries) {
    check(name, value.key_line, value.key_column);
    CheckHeaderValue(name, value, context);
  }
}

void CheckTls(SectionValue& section, CheckContext& context) {
  AtMostOne(section, context, {"ca", "ca_file", "ca_ref"});
  AtMostOne(section, context, {"cert", "cert_file", "cert_ref"});
  AtMostOne(section, context, {"key", "key_file", "key_ref"});
  bool cert = Set(section, "cert") || Set(section, "cert_file") || Set(section, "cert_ref");
  bool key = Set(section, "key") || Set(section, "key_file") || Set(section, "key_ref");
  if (cert && !key) context.Error(section, "a client certificate needs its key or key_file");
  if (key && !cert) context.Error(section, "a client key needs its cert or cert_file");
  // Prometheus finds this out later, and then does not scrape at all.
  const Value& max = section.Get("max_version");
  if (!max.IsZero() && max.text < section.Text("min_version")) {
    context.Error(max, section, "'max_version' is below min_version");
  }
}

void CheckHttpClient(SectionValue& section, CheckContext& context) {
  AtMostOne(section, context,
            {"basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file"});
  if (const SectionValue* basic = section.Sub("basic_auth")) {
    AtMostOne(*basic, context, {"username", "username_file", "username_ref"});
    AtMostOne(*basic, context, {"password", "password_file", "password_ref"});
  }
  if (Set(section, "authorization")) CheckAuthorization(section, context);
  if (const SectionValue* oauth2 = section.Sub("oauth2")) {
    CheckOauth2(*oauth2, context);
    CheckProxy(*oauth2, context);
  }
  CheckProxy(section, context);
  CheckHttpHeaders(section.Get("http_headers"), context);
  MoveBearerToken(section);
}

}  // namespace tributary
