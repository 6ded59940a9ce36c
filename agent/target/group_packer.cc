#include "agent/target/group_packer.h"

#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/varint.h"

namespace tributary {
namespace {

void PutText(std::string_view text, std::string& out) {
  PutVarint(out, text.size());
  out += text;
}

uint64_t TakeNumber(std::string_view& in) {
  uint64_t number = 0;
  CHECK(TakeVarint(in, number));
  return number;
}

std::string TakeText(std::string_view& in) {
  const uint64_t size = TakeNumber(in);
  CHECK(size <= in.size());
  std::string text(in.substr(0, size));
  in.remove_prefix(size);
  return text;
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
  for (const std::string& target : group.targets) PutText(target, packed);
  PutText(group.source, packed);
  for (const Label& label : group.labels) {
    const uint64_t number = NumberOf(label.name);
    PutVarint(packed, number);
    if (number == 0) PutText(label.name, packed);
    PutText(label.value, packed);
  }
  packed.shrink_to_fit();
  return packed;
}

TargetGroup GroupPacker::Unpack(std::string_view packed) const {
  TargetGroup group;
  group.targets.resize(TakeNumber(packed));
  for (std::string& target : group.targets) target = TakeText(packed);
  group.source = TakeText(packed);
  std::vector<Label> labels;
  while (!packed.empty()) {
    const uint64_t number = TakeNumber(packed);
    CHECK(number <= names_.size());
    std::string name = number == 0 ? TakeText(packed) : names_[number - 1];
    labels.push_back({std::move(name), TakeText(packed)});
  }
  group.labels = Labels(std::move(labels));
  return group;
}

}  // namespace tributary
