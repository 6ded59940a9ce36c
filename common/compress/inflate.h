// Streaming gunzip (RFC 1952) over ISA-L, for response bodies.
//
// Not thread-safe. Memory: about 120 KiB (the 85 of ISA-L's state, and a buffer for output),
// whatever the stream holds. Output is handed on in pieces of at most 32 KiB, so a bomb costs its
// reader no more than it accepts: the sink returns false to stop. Checksum and length of every
// member are verified.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "common/base/status.h"

namespace tributary {

class Gunzip {
 public:
  // Returns false to stop. It must not call the Gunzip that calls it.
  using Sink = std::function<bool(std::string_view)>;

  Gunzip();
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  // To be used again from the start of a stream.
  void Reset();
  // Inflates the next bytes of the body. True: go on; false: the sink stopped it. An error says
  // what is wrong with the data. Several members in a row are one stream, as Go's gzip reader has
  // it; anything else after a member is an error. After a stop or an error it answers the same
  // until Reset.
  Result<bool> Push(std::string_view bytes, const Sink& sink);
  // Whether the stream was complete, checksum included; an error otherwise (an empty body is none).
  // Called at the body's end.
  Status Finish() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
