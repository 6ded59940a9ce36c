#include "common/http_client/authorization.h"

#include "common/http_client/secrets.h"

namespace tributary {

Result<std::optional<std::string>> AuthorizationHeader(const HttpClientConfig& config,
                                                       FileSystem& files) {
  if (config.basic_auth) {
    const BasicAuth& basic = *config.basic_auth;
    auto username = ValueOrFile(files, basic.username, basic.username_file);
    if (!username) return tl::unexpected(username.error());
    auto password = ValueOrFile(files, basic.password.value, basic.password_file);
    if (!password) return tl::unexpected(password.error());
    return BasicCredentials(*username, *password);
  }
  if (config.authorization) {
    const Authorization& auth = *config.authorization;
    auto credentials = ValueOrFile(files, auth.credentials.value, auth.credentials_file);
    if (!credentials) return tl::unexpected(credentials.error());
    if (!IsHeaderValue(*credentials)) {
      return Fail("the credentials " + auth.credentials_file +
                  " cannot be sent in a header: there is a line break or another control character "
                  "in them");
    }
    return auth.type + " " + *credentials;
  }
  return std::optional<std::string>();
}

}  // namespace tributary
