// Text after its size as a varint.
#pragma once

#include <string>
#include <string_view>

#include "common/base/varint.h"

namespace tributary {

inline void PutText(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out += text;
}

// Takes it off the front of `in`, in whose memory `text` is then. False, with `in` unspecified, if
// there is none.
inline bool TakeText(std::string_view& in, std::string_view& text) {
  uint64_t size = 0;
  if (!TakeVarint(in, size) || size > in.size()) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

}  // namespace tributary
