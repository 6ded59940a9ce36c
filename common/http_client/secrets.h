// Secrets where the configuration has them: in itself, or in files that are read at each use.
// Errors name the file, never its content. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/file/file_system.h"

namespace tributary {

// Text of a file without the white space around it, as Prometheus takes it. At most 1 MiB.
Result<std::string> ReadSecret(FileSystem& files, const std::string& path);
// `value` unless there is a path.
Result<std::string> ValueOrFile(FileSystem& files, const std::string& value,
                                const std::string& path);
// Of a header: no control characters but tabs.
bool IsHeaderValue(const std::string& value);
// A server's words, cut to `bytes_max`, with <secret> for what it may have repeated of what it was
// sent. Secrets of less than 4 bytes stay: hiding them would tear words apart, and hide nothing.
std::string HideSecrets(std::string message, const std::vector<std::string>& secrets,
                        size_t bytes_max = 500);
// "Basic ..." (RFC 7617).
std::string BasicCredentials(const std::string& username, const std::string& password);

}  // namespace tributary
