#include "agent/discovery/kubernetes/meta_labels.h"

#include <cctype>
#include <utility>

namespace tributary {
namespace {

constexpr std::string_view kPrefix = "__meta_kubernetes_";

void SetPairs(MetaLabels& labels, const KubePairs& pairs, const std::string& prefix) {
  for (const auto& [key, value] : pairs) {
    const std::string name = SanitizeLabelName(key);
    labels.Set(prefix + "_" + name, value);
    labels.Set(prefix + "present_" + name, "true");
  }
}

}  // namespace

std::string SanitizeLabelName(std::string_view name) {
  std::string clean;
  clean.reserve(name.size());
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;  // of a character that has its '_' already
    const bool kept = byte < 0x80 && (std::isalnum(byte) != 0 || c == '_');
    clean += kept ? c : '_';
  }
  return clean;
}

void MetaLabels::Set(std::string_view name, std::string_view value) {
  std::string full(kPrefix);
  full += name;
  labels_.push_back({std::move(full), std::string(value)});
}

void MetaLabels::SetPlain(std::string_view name, std::string_view value) {
  labels_.push_back({std::string(name), std::string(value)});
}

void MetaLabels::SetObject(const KubeMeta& meta, std::string_view kind) {
  Set(std::string(kind) + "_name", meta.name);
  SetLabelsAndAnnotations(meta, kind);
}

void MetaLabels::SetLabelsAndAnnotations(const KubeMeta& meta, std::string_view kind) {
  SetPairs(*this, meta.labels, std::string(kind) + "_label");
  SetPairs(*this, meta.annotations, std::string(kind) + "_annotation");
}

TargetGroup MetaLabels::Group(std::string source, std::string address) const {
  return {{std::move(address)}, Labels(labels_), std::move(source)};
}

}  // namespace tributary
