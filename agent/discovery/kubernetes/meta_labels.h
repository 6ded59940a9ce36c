// Labels as Kubernetes' mechanism makes them: __meta_kubernetes_*. Follows prometheus/prometheus
// discovery/kubernetes (3.16). Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/kubernetes/objects.h"
#include "common/config/model.h"
#include "common/labels/labels.h"

namespace tributary {

// What is set later wins, also an empty value, which is no label in the end.
class MetaLabels {
 public:
  // `name` without the prefix __meta_kubernetes_.
  void Set(std::string_view name, std::string_view value);
  // The whole name.
  void SetPlain(std::string_view name, std::string_view value);
  // <kind>_name, and the labels and annotations.
  void SetObject(const KubeMeta& meta, std::string_view kind);
  // <kind>_label_*, <kind>_labelpresent_*, <kind>_annotation_*, <kind>_annotationpresent_*.
  void SetLabelsAndAnnotations(const KubeMeta& meta, std::string_view kind);

  // A group of one target.
  TargetGroup Group(std::string source, std::string address) const;

 private:
  std::vector<Label> labels_;
};

// As Prometheus' strutil.SanitizeLabelName: what is neither letter, digit nor _ becomes _.
std::string SanitizeLabelName(std::string_view name);

}  // namespace tributary
