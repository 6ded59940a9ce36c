// Gunzip on any bytes: in one piece and in small ones it must give the same, and what zlib accepts
// as a single member it must give as zlib does. The first byte chooses the pieces' size.
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/compress/inflate.h"

namespace {

constexpr size_t kOutputMax = 1 << 17;

struct Outcome {
  bool good = false;
  bool stopped = false;
  std::string data;

  bool operator==(const Outcome&) const = default;
};

Outcome Inflate(std::string_view gzip, size_t piece) {
  tributary::Gunzip gunzip;
  Outcome outcome;
  const auto sink = [&](std::string_view bytes) {
    if (bytes.empty() || bytes.size() > 64 * 1024) std::abort();
    outcome.data += bytes;
    return outcome.data.size() < kOutputMax;
  };
  for (; !gzip.empty(); gzip.remove_prefix(std::min(piece, gzip.size()))) {
    const auto pushed = gunzip.Push(gzip.substr(0, piece), sink);
    if (!pushed || !*pushed) {
      outcome.stopped = pushed.has_value();
      outcome.data.resize(std::min(outcome.data.size(), kOutputMax));
      // How far it came before the error depends on the pieces.
      if (!pushed) outcome.data.clear();
      return outcome;
    }
  }
  outcome.good = gunzip.Finish().has_value();
  return outcome;
}

// Whether zlib takes all of it for one member.
bool ZlibAccepts(std::string_view gzip, std::string& data) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) std::abort();
  std::string in(gzip);
  data.assign(kOutputMax, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(data.data());
  stream.avail_out = static_cast<uInt>(data.size());
  const bool accepted = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
  data.resize(stream.total_out);
  inflateEnd(&stream);
  return accepted;
}

// A name or comment that Go refuses for its length.
bool MayHaveLongText(std::string_view gzip) { return gzip.size() > 511 && (gzip[3] & 0x18) != 0; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view gzip(reinterpret_cast<const char*>(data + 1), size - 1);
  const Outcome whole = Inflate(gzip, size);
  if (!(whole == Inflate(gzip, 1 + data[0]))) std::abort();
  std::string expected;
  if (ZlibAccepts(gzip, expected) && expected.size() < kOutputMax && !MayHaveLongText(gzip)) {
    if (!whole.good || whole.data != expected) std::abort();
  }
  return 0;
}
