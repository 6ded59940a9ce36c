// Relabeling a second time, slow and obvious: a map, RE2 for everything, templates read character
// by character. The oracle of common/relabel, written from Prometheus' documentation alone.
//
// UTF-8 names only; the order of colliding labelmap results is that of Prometheus' builder.
#pragma once

#include <optional>
#include <vector>

#include "common/labels/labels.h"
#include "common/relabel/relabel.h"

namespace tributary {

// The labels after all rules, or nothing if a rule drops them.
std::optional<Labels> SlowRelabel(const std::vector<RelabelConfig>& rules, const Labels& labels);

}  // namespace tributary
