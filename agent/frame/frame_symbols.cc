#include "agent/frame/frame_symbols.h"

#include <snappy.h>

#include <algorithm>
#include <atomic>

#include "agent/frame/snappy_stream.h"
#include "common/base/assert.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

uint64_t NextId() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

FrameSymbols::FrameSymbols() : id_(NextId()) { Append(SymbolTable().encoded(), 1); }

void FrameSymbols::Append(std::string_view encoded, uint32_t count) {
  std::string compressed;
  snappy::Compress(encoded.data(), encoded.size(), &compressed);
  const SnappyStream stream = SplitSnappy(compressed);
  bytes_ += stream.elements;
  bytes_.shrink_to_fit();
  raw_bytes_ += static_cast<uint32_t>(stream.raw_bytes);
  count_ += count;
}

std::vector<std::string_view> FrameSymbols::Texts(std::string& raw) const {
  std::string stream;
  PutVarint(stream, raw_bytes_);
  stream += bytes_;
  CHECK(snappy::Uncompress(stream.data(), stream.size(), &raw));
  std::vector<std::string_view> texts;
  texts.reserve(count_);
  std::string_view rest = raw;
  while (!rest.empty()) {
    uint64_t size = 0;
    rest.remove_prefix(1);  // the tag
    CHECK(TakeVarint(rest, size) && size <= rest.size());
    texts.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  CHECK(texts.size() == count_);
  return texts;
}

SymbolWriter::SymbolWriter(FrameSymbols& symbols) : symbols_(symbols), count_(symbols.count()) {
  std::string raw;
  for (std::string_view text : symbols.Texts(raw)) numbers_.Number(text);
  committed_bytes_ = numbers_.encoded().size();
  CHECK(committed_bytes_ == symbols.raw_bytes());
}

uint32_t SymbolWriter::Number(std::string_view text) {
  const uint32_t number = numbers_.Number(text);
  count_ = std::max(count_, number + 1);
  return number;
}

void SymbolWriter::Commit() {
  const std::string_view encoded = numbers_.encoded();
  if (encoded.size() == committed_bytes_) return;
  symbols_.Append(encoded.substr(committed_bytes_), count_ - symbols_.count());
  committed_bytes_ = encoded.size();
}

}  // namespace tributary
