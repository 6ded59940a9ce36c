// Writes a page of /federate: one family for each metric name, all floats untyped, as Prometheus'
// federation() does (web/federate.go, common/expfmt/text_create.go of 3.16).
//
// A series gets the external labels that it does not have, behind its own, and an empty `instance`
// if neither it nor they have one: so that the puller, told to honor labels, does not put the
// agent's in. Native histograms are told in protobuf only; those with custom buckets as classic
// histograms in both formats. A large family of a protobuf page is several messages with the same
// name, as there its length stands before it. One thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "agent/federate/federate_form.h"
#include "agent/federate/series_sorter.h"
#include "common/histogram/native_histogram.h"
#include "common/labels/labels.h"

namespace tributary {

class FamilyWriter {
 public:
  FamilyWriter(FederateForm form, Labels external_labels);

  // Appends what there is to write of the page with this series. Series come in the page's order.
  void Write(const SortedSeries& series, std::string& out);
  // Appends what is left.
  void Finish(std::string& out);

 private:
  enum class Kind : uint8_t { kNone, kUntyped, kHistogram, kGaugeHistogram };

  void Begin(std::string_view name, Kind kind, std::string& out);
  void FlushFamily(std::string& out);
  // "name{a="b"", without the closing brace; `suffix` belongs to the name.
  void AppendTextSeries(std::string_view suffix, std::string& out) const;
  void AppendTextSample(std::string_view suffix, std::string_view le, double value,
                        TimestampMs timestamp, std::string& out) const;
  void WriteTextHistogram(TimestampMs timestamp, std::string& out) const;
  void WriteMetric(const SortedSeries& series);
  void AppendHistogram(std::string& out) const;

  const FederateForm form_;
  const Labels external_;
  std::string name_;  // of the family, as it is
  Kind kind_ = Kind::kNone;
  std::string shown_name_;         // escaped
  std::string family_;             // protobuf: the metrics that are not written yet
  std::vector<LabelView> labels_;  // of the series, without its name
  std::deque<std::string> texts_;
  std::string metric_, part_;  // scratch
  NativeHistogram histogram_;
};

}  // namespace tributary
