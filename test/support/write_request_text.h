// Requests of remote write as text, read by our reader and by libprotobuf: what the two have to
// agree on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/wire/write_request_reader.h"

namespace tributary {

// `bytes` are not compressed. Nullopt: it cannot be read.
std::optional<std::string> FastWriteRequestText(WriteVersion version, std::string_view bytes);
std::optional<std::string> SlowWriteRequestText(WriteVersion version, std::string_view bytes);

}  // namespace tributary
