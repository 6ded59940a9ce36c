// A set of labels: names and values, sorted by name (bytewise), names unique, no empty values.
//
// For the cold path: discovery, relabeling, a series at first sight. Series in steady state never
// hold one (agent/layout). Not thread-safe; values own their text.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tributary {

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// One that is looked at where it lies.
struct LabelView {
  std::string_view name;
  std::string_view value;
};

inline constexpr std::string_view kMetricName = "__name__";

class Labels {
 public:
  Labels() = default;
  // Any order; of equal names the last wins; empty values are left out.
  Labels(std::initializer_list<Label> labels);
  explicit Labels(std::vector<Label> labels);

  // "" when absent: Prometheus does not tell an empty label from a missing one. Valid until a
  // change.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  // An empty value deletes the label.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  template <typename Predicate>
  void RemoveIf(Predicate predicate) {
    std::erase_if(items_, predicate);
  }

  const std::vector<Label>& items() const { return items_; }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  void clear() { items_.clear(); }
  // For those that are kept.
  void ShrinkToFit() { items_.shrink_to_fit(); }

  // 64 bits over names and values with separators; the same on every run and machine.
  uint64_t Hash() const;
  // {a="b", c="d"} with Go's %q quoting, as Prometheus prints labels.
  std::string ToString() const;

  auto operator<=>(const Labels&) const = default;

 private:
  std::vector<Label> items_;
};

}  // namespace tributary
