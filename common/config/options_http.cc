// The fields that all HTTP clients share (prometheus/common config/http_config.go).
#include "common/config/checks.h"
#include "common/config/options.h"

namespace tributary {

const Section& TlsSection() {
  static const Section section{
      "tls_config",
      "How to check the server's certificate and which one to show. Files are read at use: what "
      "they "
      "hold now counts for the next request.",
      {
          {.name = "ca", .doc = "Certificates to trust, as PEM text."},
          {.name = "cert", .doc = "The client's certificate, as PEM text."},
          {.name = "key", .type = OptionType::kSecret, .doc = "The client's key, as PEM text."},
          {.name = "ca_file", .type = OptionType::kPath, .doc = "File of certificates to trust."},
          {.name = "cert_file",
           .type = OptionType::kPath,
           .doc = "File of the client's certificate."},
          {.name = "key_file", .type = OptionType::kPath, .doc = "File of the client's key."},
          {.name = "ca_ref",
           .doc = "Name of the certificates in a secret manager.",
           .support = Support::kNotBuilt},
          {.name = "cert_ref",
           .doc = "Name of the certificate in a secret manager.",
           .support = Support::kNotBuilt},
          {.name = "key_ref",
           .doc = "Name of the key in a secret manager.",
           .support = Support::kNotBuilt},
          {.name = "server_name", .doc = "Name that the server's certificate has to bear."},
          {.name = "insecure_skip_verify",
           .type = OptionType::kBool,
           .fallback = "false",
           .doc = "Accept any certificate.",
           .shown = true},
          {.name = "min_version",
           .type = OptionType::kEnum,
           .doc = "Lowest TLS version to speak; TLS12 if none is said.",
           .values = "TLS10|TLS11|TLS12|TLS13"},
          {.name = "max_version",
           .type = OptionType::kEnum,
           .doc = "Highest TLS version to speak.",
           .values = "TLS10|TLS11|TLS12|TLS13"},
      },
      CheckTls};
  return section;
}

namespace {

const Section& BasicAuthSection() {
  static const Section section{
      "basic_auth",
      "Name and password sent with each request. Files are read at use: a new secret needs no "
      "reload.",
      {
          {.name = "username", .doc = "The name."},
          {.name = "username_file", .type = OptionType::kPath, .doc = "File that holds the name."},
          {.name = "username_ref",
           .doc = "Name of the user name in a secret manager.",
           .support = Support::kNotBuilt},
          {.name = "password", .type = OptionType::kSecret, .doc = "The password."},
          {.name = "password_file",
           .type = OptionType::kPath,
           .doc = "File that holds the password."},
          {.name = "password_ref",
           .doc = "Name of the password in a secret manager.",
           .support = Support::kNotBuilt},
      }};
  return section;
}

const Section& AuthorizationSection() {
  static const Section section{
      "authorization",
      "The Authorization header sent with each request.",
      {
          {.name = "type", .fallback = "Bearer", .doc = "The scheme; 'basic' is refused."},
          {.name = "credentials", .type = OptionType::kSecret, .doc = "What follows the scheme."},
          {.name = "credentials_file",
           .type = OptionType::kPath,
           .doc = "File that holds the credentials, read at use."},
          {.name = "credentials_ref",
           .doc = "Name of the credentials in a secret manager.",
           .support = Support::kNotBuilt},
      }};
  return section;
}

std::vector<Option> ProxyOptions() {
  return {
      {.name = "proxy_url",
       .type = OptionType::kUrl,
       .doc = "Proxy to ask through: http, https, socks5 or socks5h."},
      {.name = "no_proxy",
       .doc = "Hosts to ask without the proxy: names (and all below them), addresses, networks, "
              "each with "
              "a port or without, separated by commas. The machine itself always is one then."},
      {.name = "proxy_from_environment",
       .type = OptionType::kBool,
       .doc = "Take the proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY."},
      {.name = "proxy_connect_header",
       .type = OptionType::kSecretsMap,
       .doc = "Headers of CONNECT requests to the proxy."},
  };
}

const Section& Oauth2Section() {
  static const Section section{
      "oauth2",
      "Fetches a token from an OAuth 2.0 server and sends it with each request, until ten seconds "
      "before "
      "it expires.",
      Join(
          {{
               {.name = "client_id", .doc = "Who asks.", .required = true},
               {.name = "client_secret", .type = OptionType::kSecret, .doc = "The secret."},
               {.name = "client_secret_file",
                .type = OptionType::kPath,
                .doc = "File that holds the secret."},
               {.name = "client_secret_ref",
                .doc = "Name of the secret in a secret manager.",
                .support = Support::kNotBuilt},
               {.name = "client_certificate_key_id",
                .doc = "Id of the key that signs.",
                .support = Support::kNotBuilt},
               {.name = "client_certificate_key",
                .type = OptionType::kSecret,
                .doc = "The key that signs, as PEM text.",
                .support = Support::kNotBuilt},
               {.name = "client_certificate_key_file",
                .type = OptionType::kPath,
                .doc = "File of the key that signs.",
                .support = Support::kNotBuilt},
               {.name = "client_certificate_key_ref",
                .doc = "Name of the key in a secret manager.",
                .support = Support::kNotBuilt},
               {.name = "grant_type",
                .doc = "client_credentials, whatever else is said; the JWT bearer grant of RFC "
                       "7523 is refused, not built yet."},
               {.name = "signature_algorithm",
                .doc = "RS256, RS384 or RS512.",
                .support = Support::kNotBuilt},
               {.name = "iss", .doc = "Issuer of the signed token.", .support = Support::kNotBuilt},
               {.name = "audience",
                .doc = "Audience of the signed token.",
                .support = Support::kNotBuilt},
               {.name = "claims",
                .type = OptionType::kAny,
                .doc = "Further claims of the token.",
                .support = Support::kNotBuilt},
               {.name = "scopes", .type = OptionType::kStrings, .doc = "Scopes to ask for."},
               {.name = "token_url",
                .type = OptionType::kUrl,
                .doc = "Where to ask.",
                .required = true},
               {.name = "endpoint_params",
                .type = OptionType::kSecretMap,
                .doc = "Further parameters of the request."},
               {.name = "tls_config",
                .type = OptionType::kSection,
                .doc = "TLS towards the server.",
                .section = &TlsSection()},
           },
           ProxyOptions()})};
  return section;
}

const Section& HttpHeaderSection() {
  static const Section section{
      "http_headers",
      "Values of one header; several make several headers of the same name.",
      {
          {.name = "values", .type = OptionType::kStrings, .doc = "Values that may be shown."},
          {.name = "secrets", .type = OptionType::kSecrets, .doc = "Values that may not."},
          {.name = "files",
           .type = OptionType::kPaths,
           .doc = "Files that hold a value each, read at use."},
      }};
  return section;
}

}  // namespace

std::vector<Option> HttpClientOptions(bool enable_http2) {
  std::vector<Option> options =
      Join({{
                {.name = "basic_auth",
                 .type = OptionType::kSection,
                 .doc = "Name and password.",
                 .section = &BasicAuthSection(),
                 .optional = true},
                {.name = "authorization",
                 .type = OptionType::kSection,
                 .doc = "A token, or any other Authorization header.",
                 .section = &AuthorizationSection(),
                 .optional = true},
                {.name = "oauth2",
                 .type = OptionType::kSection,
                 .doc = "A token from an OAuth 2.0 server.",
                 .section = &Oauth2Section(),
                 .optional = true},
                {.name = "bearer_token",
                 .type = OptionType::kSecret,
                 .doc = "The same as authorization with these credentials (old)."},
                {.name = "bearer_token_file",
                 .type = OptionType::kPath,
                 .doc = "The same as authorization with this credentials_file (old)."},
                {.name = "tls_config",
                 .type = OptionType::kSection,
                 .doc = "TLS settings other than the system's.",
                 .section = &TlsSection()},
                {.name = "follow_redirects",
                 .type = OptionType::kBool,
                 .fallback = "true",
                 .doc = "Follow redirects; credentials and cookies stay with the first host and "
                        "those below it.",
                 .shown = true},
                {.name = "enable_http2",
                 .type = OptionType::kBool,
                 .fallback = enable_http2 ? "true" : "false",
                 .doc = "Offer HTTP/2 to https servers.",
                 .shown = true},
            },
            ProxyOptions(),
            {
                {.name = "http_headers",
                 .type = OptionType::kSectionMap,
                 .doc = "Headers to add to each request.",
                 .section = &HttpHeaderSection()},
            }});
  for (Option& option : options) option.http_client = true;
  return options;
}

}  // namespace tributary
