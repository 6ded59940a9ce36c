// What a page of the protobuf exposition format yields, as text: for comparing readers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/exposition/protobuf_series.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

struct ProtobufPageText {
  bool ok = true;
  // One for each family ("F ..."), then for each of its series ("S ..." or "H ..."), in order. Of a
  // page with an error only the series that counted as scraped.
  std::vector<std::string> lines;
  std::string error;  // not compared

  bool operator==(const ProtobufPageText& other) const {
    return ok == other.ok && lines == other.lines;
  }
};

// The parts of lines, for whoever makes them.
struct ProtobufSeriesText {
  std::vector<std::pair<std::string, std::string>> labels;  // as on the page, __name__ too
  std::optional<int64_t> timestamp, start;
  struct Exemplar {
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
    std::optional<int64_t> timestamp;
  };
  std::vector<Exemplar> exemplars;
};

// Labels sorted; of a name with an empty value nothing; "not unique" for one that comes twice.
// Floats by their bits. A histogram that is not valid is not told in detail.
std::string FamilyLine(std::string_view name, int type, std::string_view help,
                       std::string_view unit);
std::string FloatLine(const ProtobufSeriesText& series, double value);
std::string HistogramLine(const ProtobufSeriesText& series, const NativeHistogram& histogram);

// Exemplars are not asked for of every fifth series, as if relabeling had dropped it.
inline bool TakesExemplars(size_t series_number) { return series_number % 5 != 4; }

// By ProtobufPageReader and ProtobufSeriesReader; the page comes in pieces of next_size() bytes.
ProtobufPageText FastProtobufPage(std::string_view page, const ProtobufHistogramRules& rules,
                                  const std::function<size_t()>& next_size);
// In one piece.
ProtobufPageText FastProtobufPage(std::string_view page, const ProtobufHistogramRules& rules);

std::string ToString(const ProtobufPageText& page);

}  // namespace tributary
