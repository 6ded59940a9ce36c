// The page for people, compiled in: one HTML file with its script, style and icon, nothing from
// elsewhere.
#pragma once

#include <string_view>

namespace tributary {

extern const std::string_view kUiIndexHtml;
extern const std::string_view kUiAppJs;
extern const std::string_view kUiStyleCss;
extern const std::string_view kUiIconSvg;

}  // namespace tributary
