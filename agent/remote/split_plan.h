// The entries of a request, numbered so that those of each series lie together in the order in
// which they are sent, or those of each part: what a split (request_split.h) works on. Knows which
// of them are delivered or dropped. One thread; what the parts point to must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/remote/chunk_samples.h"
#include "agent/remote/prepared_group.h"
#include "agent/remote/request_split.h"
#include "agent/series/samples.h"

namespace tributary {

class SplitPlan {
 public:
  // A part of the request.
  struct Part {
    const GroupSamples* samples;
    const PreparedGroup* prepared;
    uint32_t chunk;
    EntryRange range;
  };
  // What a split takes for one series.
  enum class Unit : uint8_t { kSeries, kPart };
  // Of a unit that is a part: the first of its series.
  struct Series {
    uint64_t hash = 0;   // of its labels
    std::string labels;  // encoded (common/wire)
    size_t part = 0;     // the first that it is in
    uint32_t index = 0;  // in its group
    uint32_t begin = 0, end = 0;
    bool suspect = false;
    bool accepted = false;  // something of it
    bool noted = false;     // as refused
  };

  // What is from before `oldest` is gone. `hash` of encoded labels.
  SplitPlan(std::vector<Part> parts, Unit unit, TimestampMs oldest,
            const std::function<uint64_t(std::string_view)>& hash,
            const std::function<bool(uint64_t)>& is_suspect);

  std::vector<RequestSplit::Series> ForSplit() const;
  RequestSplit::Piece whole() const { return {0, static_cast<uint32_t>(gone_.size())}; }
  // Of one part, what is in the piece.
  EntrySelection Select(size_t part, RequestSplit::Piece piece);
  const std::vector<Part>& parts() const { return parts_; }
  std::vector<Series>& series() { return series_; }
  // The series [first, second) of series() have something in the piece.
  std::pair<size_t, size_t> SeriesIn(RequestSplit::Piece piece) const;
  void SetGone(RequestSplit::Piece piece);

 private:
  const std::vector<Part> parts_;
  std::vector<Series> series_;
  std::vector<std::vector<uint32_t>> numbers_;  // by part
  std::vector<uint8_t> gone_;                   // by number
};

}  // namespace tributary
