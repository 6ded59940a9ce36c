// The format of a page by its Content-Type. Follows prometheus/prometheus
// model/textparse/interface.go (extractMediaType, 3.16) and Go's mime.ParseMediaType, which refuses
// some headers whose type alone would be plain. Thread-safe (no state).
#pragma once

#include <string>
#include <string_view>

#include "agent/layout/page_reader.h"
#include "common/base/status.h"

namespace tributary {

// `fallback_protocol` is "" or of scrape_protocols: the format of a page whose type is missing,
// unknown or makes no sense. The error says what is wrong, and names the option that helps.
Result<PageFormat> FormatOfPage(std::string_view content_type,
                                const std::string& fallback_protocol);

// What a target is asked for by the name that scrape_protocols has for it; no escaping and no
// weight.
std::string_view MediaTypeOf(std::string_view protocol);

}  // namespace tributary
