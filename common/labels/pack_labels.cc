#include "common/labels/pack_labels.h"

#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/sized_text.h"

namespace tributary {

namespace {

std::string_view Next(std::string_view& packed) {
  std::string_view text;
  CHECK(TakeText(packed, text));
  return text;
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
    const std::string_view name = Next(packed);
    labels.push_back({std::string(name), std::string(Next(packed))});
  }
  return Labels(std::move(labels));
}

void UnpackLabels(std::string_view packed, std::vector<LabelView>& labels) {
  labels.clear();
  while (!packed.empty()) {
    const std::string_view name = Next(packed);
    labels.push_back({name, Next(packed)});
  }
}

}  // namespace tributary
