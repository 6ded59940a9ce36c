// A block, read back: for what a frame does not fit, and to compile its series again without some
// of them. One thread; costs about what the general path does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/frame/frame_block.h"
#include "agent/frame/frame_symbols.h"

namespace tributary {

class ThawedBlock {
 public:
  explicit ThawedBlock(const FrameBlock& block);
  ThawedBlock(const ThawedBlock&) = delete;
  ThawedBlock& operator=(const ThawedBlock&) = delete;

  // Appends the entries of a request, not compressed, for the floats of the block's series that
  // `samples` has: what the general path would write, in its order, own times before the scrape's
  // first. `samples` has the metadata and start times of the block (FitOf says it is not kGeneral).
  void Write(const GroupSamples& samples, std::string& raw) const;

  // The labels as BlockSource has them, empty for what is no member: those of 1.0 as they are, and
  // of 2.0 by the table's texts.
  std::string Encoded() const;
  std::string Encoded(const FrameSymbols& symbols) const;

 private:
  struct Entry {
    std::string_view labels;  // field 1 of the TimeSeries, as often as it is there
    std::string_view start;   // of its sample; empty: none
    std::string_view tail;    // what follows the sample
  };

  void WriteSample(const Entry& entry, double value, TimestampMs timestamp, std::string& raw) const;

  const FrameBlock& block_;
  std::string raw_;
  char tag_;                    // of an entry
  std::vector<Entry> entries_;  // by series, counted from the block's begin
};

}  // namespace tributary
