// What becomes of the histograms of a target: __scrape_native_histograms__,
// __always_scrape_classic_histograms__ and __convert_classic_histograms_to_nhcb__, by default as
// its job says.
#pragma once

namespace tributary {

struct HistogramMode {
  bool native = false;           // native ones are taken, where the format has them
  bool keep_classic = false;     // classic ones too, beside native and converted ones
  bool convert_classic = false;  // into native ones with custom buckets
  bool operator==(const HistogramMode&) const = default;
};

}  // namespace tributary
