#include "common/compress/deflate.h"

#include <isa-l/igzip_lib.h>

#include "common/base/assert.h"

namespace tributary {

namespace {

// What may become of bytes that cannot be made shorter: they are stored, in blocks of up to
// 65,535 with five bytes before each, between a head of 10 bytes and a tail of 8.
size_t LongestGzip(size_t bytes) { return bytes + 5 * (bytes / 65535 + 1) + 32; }

}  // namespace

std::string Gzip(std::string_view text) {
  CHECK(text.size() <= size_t{1} << 30);
  std::string out(LongestGzip(text.size()), '\0');
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.flush = NO_FLUSH;
  // ISA-L does not write to what it reads.
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uint32_t>(text.size());
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = static_cast<uint32_t>(out.size());
  CHECK(isal_deflate_stateless(&stream) == COMP_OK);
  out.resize(stream.total_out);
  return out;
}

}  // namespace tributary
