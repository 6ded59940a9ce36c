// Scratch of one page; reused from scrape to scrape, one for each scrape in flight. Its vectors
// keep their room: in steady state a page allocates nothing here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/layout/bitmap.h"
#include "agent/series/samples.h"
#include "common/base/time.h"
#include "common/exposition/protobuf_page.h"

namespace tributary {

// By what an exemplar is recognised when it comes again. Hashes: of how the page wrote it (0 if
// that does not make it the same), and of its labels and value.
struct ExemplarMark {
  uint64_t text = 0;
  uint64_t value = 0;
  TimestampMs timestamp = 0;  // its own, or its sample's
  bool has_own_time = false;
};

struct ScrapeBuffer {
  struct PlacedSample {
    uint32_t place;
    TimestampMs timestamp;
    double value;
  };
  // Samples that few places have: their `index` is set once the place is final.
  struct PlacedHistogram {
    uint32_t place;
    HistogramSample sample;
  };
  struct PlacedExemplar {
    uint32_t place;
    ExemplarSample sample;
    ExemplarMark mark;
  };

  // A sample with a time of its own.
  struct TimedValue {
    TimestampMs timestamp;
    double value;
  };

  std::vector<double> values;     // by place
  Bitmap present;                 // places that have one, for the time of the scrape
  std::vector<TimedValue> timed;  // by place
  Bitmap has_timed;               // places that have one
  Bitmap mentioned;  // places whose lines came, but did not give a value for the time of the scrape
  Bitmap tracked;    // places without one whose end is to be marked all the same
  Bitmap seen;       // lines
  Bitmap accepted;   // lines that were not accepted before
  // Samples of places that have such a value already, in page order.
  std::vector<PlacedSample> further;
  Bitmap has_further;
  std::vector<PlacedHistogram> histograms;  // in page order, as are these
  std::vector<PlacedExemplar> exemplars;
  boost::unordered_flat_map<uint32_t, size_t> last_exemplars;  // by place: in exemplars
  std::vector<TimestampMs> starts;  // by place, 0: none; only if any_starts
  bool any_starts = false;
  // Members that these bitmaps got since the last mark, if the page's reader sets any.
  std::vector<std::pair<Bitmap ScrapeBuffer::*, uint32_t>> since_mark;
  std::vector<uint32_t> order;  // lines as they came, once they differ from the layout's order
  std::string carry;            // the beginning of a line whose end has not arrived
  std::string line;             // one that was put together from carry and what followed
  std::string text;             // scratch of the parser

  // Made when a target first answers in that format.
  ProtobufPageReader& protobuf() {
    if (protobuf_ == nullptr) protobuf_ = std::make_unique<ProtobufPageReader>();
    return *protobuf_;
  }

  // Forgets the samples, with room for places below `place_end`.
  void ClearSamples(uint32_t place_end) {
    present.Clear(place_end);
    has_timed.Clear(place_end);
    further.clear();
    has_further.Clear(0);
    histograms.clear();
    exemplars.clear();
    if (!last_exemplars.empty()) last_exemplars.clear();
    if (any_starts) std::fill(starts.begin(), starts.end(), 0);
    any_starts = false;
  }
  bool HasSamples() const {
    return present.Any() || has_timed.Any() || !further.empty() || !histograms.empty();
  }
  // Makes room for the values of places below `end`.
  void Grow(uint32_t end) {
    if (end > values.size()) values.resize(std::max<size_t>(end, values.size() * 2));
  }

 private:
  std::unique_ptr<ProtobufPageReader> protobuf_;
};

}  // namespace tributary
