// Streaming gzip (RFC 1952) over ISA-L, for answers that are not in memory as a whole. Fast rather
// than thorough. Some 300 KiB, whatever goes through. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tributary {

class GzipStream {
 public:
  GzipStream();
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  // Takes the next bytes, at most 1 GiB at a time, and appends what there is of the output.
  void Push(std::string_view bytes, std::string& out);
  // Appends the rest. Nothing may be pushed after it.
  void Finish(std::string& out);

 private:
  struct Impl;
  void Run(std::string& out);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
