#include "common/labels/labels.h"

#define XXH_STATIC_LINKING_ONLY  // for a hash state on the stack
#include <xxhash.h>

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/unicode.h"

namespace tributary {
namespace {

template <typename Items>
auto LowerBound(Items& items, std::string_view name) {
  return std::lower_bound(
      items.begin(), items.end(), name,
      [](const Label& label, std::string_view wanted) { return label.name < wanted; });
}

// Not a byte of valid UTF-8, so no text can imitate the end of another.
constexpr char kSeparator = '\xff';

bool PrintsBare(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) : items_(std::move(labels)) {
  std::stable_sort(items_.begin(), items_.end(),
                   [](const Label& a, const Label& b) { return a.name < b.name; });
  size_t kept = 0;
  for (size_t i = 0; i < items_.size(); ++i) {
    bool overridden = i + 1 < items_.size() && items_[i + 1].name == items_[i].name;
    if (overridden || items_[i].value.empty()) continue;
    if (kept != i) items_[kept] = std::move(items_[i]);
    ++kept;
  }
  items_.resize(kept);
}

std::string_view Labels::Get(std::string_view name) const {
  auto at = LowerBound(items_, name);
  return at != items_.end() && at->name == name ? std::string_view(at->value) : "";
}

bool Labels::Has(std::string_view name) const { return !Get(name).empty(); }

void Labels::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Remove(name);
  auto at = LowerBound(items_, name);
  if (at != items_.end() && at->name == name) {
    at->value.assign(value);
  } else {
    items_.insert(at, Label{std::string(name), std::string(value)});
  }
}

void Labels::Remove(std::string_view name) {
  auto at = LowerBound(items_, name);
  if (at != items_.end() && at->name == name) items_.erase(at);
}

uint64_t Labels::Hash() const {
  XXH3_state_t state;
  CHECK(XXH3_64bits_reset(&state) == XXH_OK);
  auto add = [&](std::string_view text) {
    XXH3_64bits_update(&state, text.data(), text.size());
    XXH3_64bits_update(&state, &kSeparator, 1);
  };
  for (const Label& label : items_) {
    add(label.name);
    add(label.value);
  }
  return XXH3_64bits_digest(&state);
}

std::string Labels::ToString() const {
  std::string out = "{";
  for (const Label& label : items_) {
    if (out.size() > 1) out += ", ";
    if (PrintsBare(label.name)) {
      out += label.name;
    } else {
      AppendQuoted(label.name, out);
    }
    out += '=';
    AppendQuoted(label.value, out);
  }
  out += '}';
  return out;
}

}  // namespace tributary
