#include "common/compress/gzip_stream.h"

#include <isa-l/igzip_lib.h>

#include <array>

#include "common/base/assert.h"

namespace tributary {

struct GzipStream::Impl {
  isal_zstream stream;
  std::array<uint8_t, ISAL_DEF_LVL1_DEFAULT> level_buffer;
  std::array<uint8_t, 32 << 10> out;
};

GzipStream::GzipStream() : impl_(std::make_unique<Impl>()) {
  isal_zstream& stream = impl_->stream;
  isal_deflate_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.level = 1;
  stream.level_buf = impl_->level_buffer.data();
  stream.level_buf_size = static_cast<uint32_t>(impl_->level_buffer.size());
}

GzipStream::~GzipStream() = default;

void GzipStream::Push(std::string_view bytes, std::string& out) {
  CHECK(bytes.size() <= size_t{1} << 30);
  isal_zstream& stream = impl_->stream;
  // ISA-L does not write to what it reads.
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uint32_t>(bytes.size());
  Run(out);
}

void GzipStream::Finish(std::string& out) {
  impl_->stream.end_of_stream = 1;
  Run(out);
}

void GzipStream::Run(std::string& out) {
  isal_zstream& stream = impl_->stream;
  do {
    stream.next_out = impl_->out.data();
    stream.avail_out = static_cast<uint32_t>(impl_->out.size());
    CHECK(isal_deflate(&stream) == COMP_OK);
    out.append(reinterpret_cast<const char*>(impl_->out.data()),
               impl_->out.size() - stream.avail_out);
  } while (stream.avail_out == 0);
  CHECK(stream.avail_in == 0);
}

}  // namespace tributary
