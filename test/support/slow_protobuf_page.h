// The protobuf exposition format read slowly and obviously: libprotobuf decodes the page, and what
// Prometheus makes of a family is written down step by step
// (model/textparse/protobufparse.go, 3.16).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "test/support/protobuf_page_text.h"

namespace tributary {

struct SlowProtobufPage {
  ProtobufPageText text;
  // Whether Prometheus' own decoder may see something else in these bytes than libprotobuf, a
  // family's name or type changes behind its metrics (which our reader refuses), or an inner span
  // has a negative offset: nothing is to be concluded then.
  bool odd = false;
};

// A page that libprotobuf does not decode is odd; one where a known field has the wrong wire type
// is an error, as in Prometheus.
SlowProtobufPage ReadProtobufPageSlowly(std::string_view page, const ProtobufHistogramRules& rules);

struct ProtobufFamilyText {
  std::string name;
  int type = 0;
  std::string help, unit;
};

// Told what a page yields, while it is read.
struct SlowProtobufSink {
  std::function<void(const ProtobufFamilyText& family)> family;
  // Whether the exemplars of the next sample are read at all; it comes without them here.
  std::function<bool(const ProtobufSeriesText& series)> wants_exemplars;
  // The sample; null: a float. False: nothing more is to be read.
  std::function<bool(const ProtobufSeriesText& series, double value,
                     const NativeHistogram* histogram)>
      take;
};
enum class SlowProtobufEnd : uint8_t { kGood, kError, kOdd, kStopped };
SlowProtobufEnd ReadProtobufPageSlowly(std::string_view page, const ProtobufHistogramRules& rules,
                                       const SlowProtobufSink& sink, std::string* error = nullptr);

// The page written anew by libprotobuf: fields in order, each once. Only if it decodes.
std::optional<std::string> RewriteProtobufPage(std::string_view page);

}  // namespace tributary
