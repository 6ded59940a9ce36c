// A receiver of remote write that takes nothing but what a careful sender writes: a judge of bytes,
// where test/support/write_request.h judges what they mean.
//
// Snappy: literals of up to 64 KiB, copies with offsets below 64 KiB that stay inside what has been
// decoded, the length exactly as announced. Protobuf: known fields only, in rising order, those
// that are not repeated once, varints no longer than needed. Remote write: labels sorted, unique
// and not empty, exactly one sample, histogram or exemplar a series; in 2.0 symbols unique and
// before all series, the first of them empty, references to symbols that are there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tributary {

struct StrictRequest {
  std::string error;  // "": it is good
  std::string raw;    // inflated
  size_t series = 0;
  size_t symbols = 0;
};

StrictRequest ReadStrictly(std::string_view body, bool is_v2);

}  // namespace tributary
