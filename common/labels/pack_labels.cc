#include "common/labels/pack_labels.h"

#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/sized_text.h"

namespace tributary {

namespace {

std::string Next(std::string_view& packed) {
  std::string_view text;
  CHECK(TakeText(packed, text));
  return std::string(text);
}

}  // namespace

void PackLabels(const Labels& labels, std::string& out) {
  const Label* name = nullptr;
  for (const Label& label : labels) {
    if (label.name == kMetricName) {
      name = &label;
      continue;
    }
    PutText(out, label.name);
    PutText(out, label.value);
  }
  if (name != nullptr) {
    PutText(out, name->name);
    PutText(out, name->value);
  }
}

Labels UnpackLabels(std::string_view packed) {
  std::vector<Label> labels;
  while (!packed.empty()) {
    std::string name = Next(packed);
    labels.push_back({std::move(name), Next(packed)});
  }
  return Labels(std::move(labels));
}

}  // namespace tributary
