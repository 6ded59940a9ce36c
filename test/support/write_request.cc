#include "test/support/write_request.h"

#include <snappy.h>

#include "remote.pb.h"

namespace tributary {

namespace {

std::string CheckOrder(const test::remote::TimeSeries& series) {
  const std::string* last = nullptr;
  for (const auto& label : series.labels()) {
    if (label.name().empty() || label.value().empty()) return "an empty label";
    if (last != nullptr && *last >= label.name()) return "labels out of order";
    last = &label.name();
  }
  return last == nullptr ? "a series without labels" : "";
}

}  // namespace

DecodedRequest DecodeWriteRequest(std::string_view body) {
  DecodedRequest decoded;
  std::string raw;
  test::remote::WriteRequest request;
  if (!snappy::Uncompress(body.data(), body.size(), &raw)) {
    decoded.error = "no snappy block";
    return decoded;
  }
  decoded.raw_bytes = raw.size();
  if (!request.ParseFromString(raw)) {
    decoded.error = "no WriteRequest";
    return decoded;
  }
  for (const auto& series : request.timeseries()) {
    if (std::string error = CheckOrder(series); !error.empty()) decoded.error = error;
    std::vector<Label> labels;
    for (const auto& label : series.labels()) labels.push_back({label.name(), label.value()});
    for (const auto& sample : series.samples()) {
      decoded.samples.push_back({Labels(labels), sample.value(), sample.timestamp()});
    }
  }
  for (const auto& entry : request.metadata()) {
    decoded.metadata.push_back(
        {entry.metric_family_name(), static_cast<int>(entry.type()), entry.help(), entry.unit()});
  }
  return decoded;
}

}  // namespace tributary
