// Variables of the environment everywhere in a configuration: %{NAME}, and %{NAME:-default} where
// the variable may be unset or empty. %%{ stands for %{. Off unless LoadOptions::expand_env says
// so; Prometheus has $NAME in external_labels alone (resolve.h). %{HOSTNAME} is also there where
// the variable is unset or empty, as shells have it: who starts an agent need not set it.
//
// It is done after the YAML is read, in single values and never in keys: a variable's text is a
// value, or a part of one, whatever it contains. What has a variable in it is read as if it were
// not quoted, so that it can be a number too.
//
// Pure function. Errors have the place of the value and the name of the variable, never its text.
#pragma once

#include <cstddef>

#include "common/config/loader.h"
#include "common/config/value.h"
#include "common/yaml/yaml.h"

namespace tributary {

// Of one file, with all values that come out of it.
inline constexpr size_t kExpandedBytesMax = 64 << 20;

void ExpandVariables(YamlNode& root, const LoadOptions& options, CheckContext& context);

}  // namespace tributary
