// The head of a request that may be one of remote write (RFC 9112). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

// "POST /api/v1/write HTTP/1.1": whether the request goes to the receiver.
bool IsWrite(std::string_view head);

struct WriteHead {
  std::string content_type, content_encoding;
  uint64_t content_length = 0;
  bool keeps_alive = true;
  bool expects_continue = false;
  // Else what it is refused with: 400 for a head that leaves it open where the body ends, 411 for a
  // body of which nobody knows the length.
  int error = 0;
};

// `head` ends with the empty line.
WriteHead ParseWriteHead(std::string_view head);

}  // namespace tributary
