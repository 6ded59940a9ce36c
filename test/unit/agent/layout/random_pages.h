// The pages of one target as they change from scrape to scrape, in all formats.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "agent/layout/page_reader.h"

namespace tributary {

using Random = std::mt19937_64;

inline bool OneIn(Random& random, uint64_t n) { return random() % n == 0; }

template <typename T>
const T& Pick(Random& random, const std::vector<T>& from) {
  return from[random() % from.size()];
}

class RandomPages {
 public:
  // Of protobuf pages: `mode` is how they will be read, `oddities` see protobuf_page_generator.h;
  // `cuts`: some end inside a family.
  RandomPages(Random& random, size_t series_max, const HistogramMode& mode, unsigned oddities,
              bool cuts);

  struct Page {
    PageFormat format = PageFormat::kPrometheusText;
    std::string text;
  };
  Page Next(TimestampMs timestamp);

 private:
  std::string NextLines();
  std::string NextProtobuf();
  void Change();
  std::string NewLine();
  std::string NewSeries();
  void AddSample(const std::string& series, std::string& page);
  void AddHistogram(const std::string& line, std::string& page);
  void AddCounter(const std::string& line, std::string& page);
  std::string Exemplar();
  std::string Created();
  bool fits_format(const std::string& line);
  bool open_metrics() const { return format_ == PageFormat::kOpenMetrics; }

  Random& random_;
  const size_t series_max_;
  const HistogramMode mode_;
  const unsigned oddities_;
  const bool cuts_;
  PageFormat format_ = PageFormat::kPrometheusText;
  uint64_t format_rarity_ = 0;  // of a change; 0: never
  uint64_t error_rarity_;
  uint64_t own_times_;
  uint64_t churn_;
  TimestampMs timestamp_ = 0;
  std::vector<std::string> lines_;
  std::vector<std::string> gone_;
  std::string type_said_;  // by the last TYPE line
  std::string protobuf_;
};

}  // namespace tributary
