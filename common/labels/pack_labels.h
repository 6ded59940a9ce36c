// Labels in one piece of bytes, for what is kept of very many: [varint size][name][varint size]
// [value]..., sorted by name but with __name__ last. Comparing such bytes orders series by
// similarity: what differs only in the metric's name ends up side by side, which is what
// compression wants. Equal labels are equal bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/labels/labels.h"

namespace tributary {

// Appends them.
void PackLabels(const Labels& labels, std::string& out);
// Of nothing else than what PackLabels has written.
Labels UnpackLabels(std::string_view packed);
// The same as views into `packed`, in its order. What `labels` had before is gone.
void UnpackLabels(std::string_view packed, std::vector<LabelView>& labels);

}  // namespace tributary
