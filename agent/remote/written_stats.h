// What a receiver says of a request that it has written: the response headers of remote write 2.0,
// which one of 1.0 may send too. Source: storage/remote/stats.go.
#pragma once

#include <algorithm>
#include <cstdint>

#include "agent/series/samples.h"
#include "common/http/transport.h"

namespace tributary {

struct WrittenStats {
  // As the receiver has it, over several attempts the sum. What is missing or no number is 0.
  int64_t samples = 0, histograms = 0, exemplars = 0;
  // At least one of the headers was there: the receiver knows them.
  bool confirmed = false;

  bool none() const { return samples + histograms + exemplars == 0; }
  // Of what was sent, what counts as delivered; no more than that was.
  SampleCounts Of(const SampleCounts& sent) const {
    auto part = [](int64_t written, uint64_t of) {
      return std::min(static_cast<uint64_t>(std::max<int64_t>(written, 0)), of);
    };
    return {part(samples, sent.samples), part(histograms, sent.histograms),
            part(exemplars, sent.exemplars)};
  }
  // A later attempt's: the last one says whether it is confirmed.
  WrittenStats& operator+=(const WrittenStats& later);
};

WrittenStats ParseWrittenStats(const HttpResponseHead& head);

}  // namespace tributary
