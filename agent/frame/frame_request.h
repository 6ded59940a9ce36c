// Fills a request from blocks.
//
// Remote write 1.0: a request repeats field 1, so blocks of any groups, and bodies that the general
// path has made, stand one behind the other under one length. 2.0: the blocks are of one table of
// symbols, which comes first; a body of the general path has symbols of its own and cannot join.
//
// One thread. A request is filled and finished in one go: the samples that are added, and the table
// of symbols, have to live until then, and the table must not change.
// Allocates once for the body, and for blocks that are rewritten.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/frame/frame_block.h"
#include "agent/frame/frame_fit.h"
#include "agent/frame/frame_symbols.h"

namespace tributary {

class FrameRequest {
 public:
  // Of remote write 1.0.
  FrameRequest() = default;
  // Of 2.0: with all of the table's symbols.
  explicit FrameRequest(const FrameSymbols& symbols);

  // The floats of the block's series. `fit` is FitOf both, and not kGeneral.
  void Add(BlockRef block, const GroupSamples& samples, const FrameFit& fit);
  // A request of 1.0, compressed, as WriteRequestBuilder finishes it. Comes behind what was added.
  void Join(std::string_view body);

  // Before compression; what the symbols take included.
  uint64_t raw_bytes() const { return raw_bytes_; }
  // Something was added.
  bool empty() const { return parts_.empty(); }
  // The compressed request; this is empty afterwards.
  std::string Finish();

 private:
  struct Part {
    BlockRef block;  // null: `stream` is what there is
    const GroupSamples* samples;
    std::string stream;
  };

  void AddStream(std::string stream);
  static void Patch(const FrameBlock& block, const GroupSamples& samples, std::string& out);

  const FrameSymbols* symbols_ = nullptr;
  std::vector<Part> parts_;
  uint64_t raw_bytes_ = 0;
  uint64_t wire_bytes_ = 0;
};

}  // namespace tributary
