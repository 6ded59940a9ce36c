#include "agent/target/group_packer.h"

#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/sized_text.h"
#include "common/base/varint.h"

namespace tributary {
namespace {

uint64_t TakeNumber(std::string_view& in) {
  uint64_t number = 0;
  CHECK(TakeVarint(in, number));
  return number;
}

std::string NextText(std::string_view& in) {
  std::string_view text;
  CHECK(TakeText(in, text));
  return std::string(text);
}

}  // namespace

uint64_t GroupPacker::NumberOf(const std::string& name) {
  const auto known = numbers_.find(name);
  if (known != numbers_.end()) return known->second;
  if (names_.size() == kNamesMax) return 0;
  names_.push_back(name);
  numbers_.emplace(names_.back(), names_.size());
  return names_.size();
}

std::string GroupPacker::Pack(const TargetGroup& group) {
  std::string packed;
  PutVarint(packed, group.targets.size());
  for (const std::string& target : group.targets) PutText(packed, target);
  PutText(packed, group.source);
  for (const Label& label : group.labels) {
    const uint64_t number = NumberOf(label.name);
    PutVarint(packed, number);
    if (number == 0) PutText(packed, label.name);
    PutText(packed, label.value);
  }
  packed.shrink_to_fit();
  return packed;
}

TargetGroup GroupPacker::Unpack(std::string_view packed) const {
  TargetGroup group;
  group.targets.resize(TakeNumber(packed));
  for (std::string& target : group.targets) target = NextText(packed);
  group.source = NextText(packed);
  std::vector<Label> labels;
  while (!packed.empty()) {
    const uint64_t number = TakeNumber(packed);
    CHECK(number <= names_.size());
    std::string name = number == 0 ? NextText(packed) : names_[number - 1];
    labels.push_back({std::move(name), NextText(packed)});
  }
  group.labels = Labels(std::move(labels));
  return group;
}

}  // namespace tributary
