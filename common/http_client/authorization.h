// The Authorization header of an HTTP client, from its configuration.
// Source: RFC 7617 (Basic), prometheus/common config/http_config.go.
//
// Files are read at each call, so that a rotated secret is used at once. Thread-safe. Errors name
// the file, never its content.
#pragma once

#include <optional>
#include <string>

#include "common/base/status.h"
#include "common/config/model.h"
#include "common/file/file_system.h"

namespace tributary {

// The header's value; nullopt where the configuration asks for none.
Result<std::optional<std::string>> AuthorizationHeader(const HttpClientConfig& config,
                                                       FileSystem& files);

}  // namespace tributary
