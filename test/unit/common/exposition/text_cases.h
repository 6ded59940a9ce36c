// Pages and what Prometheus 3.16 made of them when it scraped them. A case's name is the
// conformance suite's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/labels/labels.h"

namespace tributary {

struct TextCaseSample {
  std::vector<Label> labels;
  std::string value;
  std::optional<TimestampMs> timestamp = std::nullopt;
};

struct TextCase {
  std::string name;
  std::string page;
  bool good = false;
  size_t samples_scraped = 0;  // up to the error too
  // Any order; none for a refused page.
  std::vector<TextCaseSample> samples;
};

const std::vector<TextCase>& TextCases();

}  // namespace tributary
