// The configuration in force as YAML, as Prometheus' /api/v1/status/config prints it: every default
// said, secrets as <secret>, passwords of URLs as xxxxx. Reads back to the same configuration but
// for the secrets.
#pragma once

#include <string>

#include "common/config/value.h"

namespace tributary {

std::string DumpYaml(const SectionValue& section);

}  // namespace tributary
