// docs/configuration.md, written from the table of options.
#pragma once

#include <string>

namespace tributary {

std::string ConfigurationPage();

}  // namespace tributary
