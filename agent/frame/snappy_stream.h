// A snappy stream taken apart: streams that were compressed each on its own are joined by joining
// their elements under one length, as no copy reaches back beyond its own beginning.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/assert.h"
#include "common/base/varint.h"

namespace tributary {

struct SnappyStream {
  uint64_t raw_bytes = 0;
  std::string_view elements;
};

// Of what a compressor wrote.
inline SnappyStream SplitSnappy(std::string_view stream) {
  SnappyStream result;
  CHECK(TakeVarint(stream, result.raw_bytes));
  result.elements = stream;
  return result;
}

}  // namespace tributary
