#include "common/compress/inflate.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "common/compress/gzip_header.h"

namespace tributary {
namespace {

constexpr size_t kPieceMax = 32 * 1024;

const char* Problem(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "gzip: invalid deflate block";
    case ISAL_INVALID_SYMBOL:
      return "gzip: invalid deflate symbol";
    case ISAL_INVALID_LOOKBACK:
      return "gzip: deflate distance before the start of the data";
    case ISAL_INCORRECT_CHECKSUM:
      return "gzip: wrong checksum or length, the data is damaged";
    default:
      return "gzip: invalid data";
  }
}

}  // namespace

struct Gunzip::Impl {
  // Ours, not ISA-L's, because Go's rules for headers differ from it.
  GzipHeader header;
  bool in_body = false;     // behind a header
  bool any_member = false;  // at least one was complete
  bool stopped = false;
  const char* problem = nullptr;
  inflate_state state;
  std::array<uint8_t, kPieceMax> piece;

  void StartStream() {
    header = GzipHeader();
    in_body = false;
    any_member = false;
    stopped = false;
    problem = nullptr;
  }

  void StartBody() {
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP_NO_HDR_VER;  // the header is read; the trailer is ISA-L's to verify
    in_body = true;
  }

  // Inflates from the front of `bytes` until they are used up or the member ends.
  bool Body(std::string_view& bytes, const Sink& sink);
};

bool Gunzip::Impl::Body(std::string_view& bytes, const Sink& sink) {
  const auto given =
      static_cast<uint32_t>(std::min<size_t>(bytes.size(), std::numeric_limits<int32_t>::max()));
  // ISA-L's interface lacks the const; it does not write there.
  state.next_in = const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(bytes.data()));
  state.avail_in = given;
  while (true) {
    state.next_out = piece.data();
    state.avail_out = kPieceMax;
    const int code = isal_inflate(&state);
    const size_t produced = kPieceMax - state.avail_out;
    if (produced > 0 && !sink({reinterpret_cast<const char*>(piece.data()), produced})) {
      stopped = true;
      return false;
    }
    if (code < 0) {
      problem = Problem(code);
      return false;
    }
    const bool ended = state.block_state == ISAL_BLOCK_FINISH;
    // A piece not full means that all input was taken.
    if (!ended && state.avail_out == 0) continue;
    bytes.remove_prefix(given - state.avail_in);
    if (ended) {
      in_body = false;
      any_member = true;
      header = GzipHeader();
    }
    return true;
  }
}

Gunzip::Gunzip() : impl_(std::make_unique<Impl>()) {}
Gunzip::~Gunzip() = default;

void Gunzip::Reset() { impl_->StartStream(); }

Result<bool> Gunzip::Push(std::string_view bytes, const Sink& sink) {
  Impl& impl = *impl_;
  while (!bytes.empty() && !impl.stopped && impl.problem == nullptr) {
    if (impl.in_body) {
      impl.Body(bytes, sink);
      continue;
    }
    switch (impl.header.Read(bytes)) {
      case GzipHeader::State::kReading:
        break;
      case GzipHeader::State::kDone:
        impl.StartBody();
        break;
      case GzipHeader::State::kInvalid:
        impl.problem = impl.any_member ? "gzip: garbage after the end of the data"
                                       : "gzip: invalid header (the body is not gzip)";
        break;
    }
  }
  if (impl.problem != nullptr) return Fail(impl.problem);
  return !impl.stopped;
}

Status Gunzip::Finish() const {
  const Impl& impl = *impl_;
  if (impl.problem != nullptr) return Fail(impl.problem);
  if (impl.stopped) return Fail("gzip: stopped before the end of the data");
  if (impl.in_body || !impl.header.untouched()) return Fail("gzip: the data ends too early");
  if (!impl.any_member) return Fail("gzip: the body is empty");
  return {};
}

}  // namespace tributary
