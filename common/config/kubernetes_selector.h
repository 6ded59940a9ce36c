// Whether Kubernetes' API understands a selector. It is sent as it was written: only its form is
// looked at here. Follows k8s.io/apimachinery pkg/labels/selector.go (Parse) and
// pkg/fields/selector.go (ParseSelector).
//
// Pure functions, any thread. An error says what was found where something else belongs.
#pragma once

#include <string_view>

#include "common/base/status.h"

namespace tributary {

// "a=b, c in (d,e), !f, g>1"; "" selects all.
Status CheckLabelSelector(std::string_view text);
// "spec.nodeName=x,status.phase!=Failed"; "" selects all. In values, \ stands before \ , and =.
Status CheckFieldSelector(std::string_view text);

}  // namespace tributary
