#include "agent/frame/frame_request.h"

#include <snappy.h>

#include <array>
#include <utility>

#include "agent/frame/snappy_stream.h"
#include "agent/frame/thawed_block.h"
#include "common/base/assert.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

constexpr size_t kLengthBytesMax = 5;

}  // namespace

FrameRequest::FrameRequest(const FrameSymbols& symbols)
    : symbols_(&symbols), raw_bytes_(symbols.raw_bytes()), wire_bytes_(symbols.bytes().size()) {}

void FrameRequest::Add(BlockRef block, const GroupSamples& samples, const FrameFit& fit) {
  const BlockOrigin& origin = block->origin();
  CHECK(fit.way != FrameFit::Way::kGeneral);
  CHECK(symbols_ == nullptr
            ? !origin.is_v2()
            : origin.table == symbols_->id() && origin.symbols <= symbols_->count());
  if (fit.samples == 0) return;
  if (fit.way == FrameFit::Way::kPatch) {
    raw_bytes_ += block->raw_bytes();
    wire_bytes_ += block->wire_bytes();
    parts_.push_back({std::move(block), &samples, {}});
    return;
  }
  std::string raw, stream;
  ThawedBlock(*block).Write(samples, raw);
  snappy::Compress(raw.data(), raw.size(), &stream);
  AddStream(std::move(stream));
}

void FrameRequest::Join(std::string_view body) {
  CHECK(symbols_ == nullptr);
  AddStream(std::string(body));
}

void FrameRequest::AddStream(std::string stream) {
  raw_bytes_ += SplitSnappy(stream).raw_bytes;
  wire_bytes_ += stream.size();
  parts_.push_back({nullptr, nullptr, std::move(stream)});
}

std::string FrameRequest::Finish() {
  std::string body;
  // To the byte, or nearly: requests under way are many, and wait long where a remote is down.
  body.reserve(kLengthBytesMax + wire_bytes_);
  PutVarint(body, raw_bytes_);
  if (symbols_ != nullptr) body += symbols_->bytes();
  for (const Part& part : parts_) {
    if (part.block != nullptr) {
      Patch(*part.block, *part.samples, body);
    } else {
      body += SplitSnappy(part.stream).elements;
    }
  }
  parts_.clear();
  raw_bytes_ = symbols_ == nullptr ? 0 : symbols_->raw_bytes();
  wire_bytes_ = symbols_ == nullptr ? 0 : symbols_->bytes().size();
  return body;
}

void FrameRequest::Patch(const FrameBlock& block, const GroupSamples& samples, std::string& out) {
  const BlockOrigin& origin = block.origin();
  std::array<double, kBlockEntriesMax> scratch;
  const std::span<const double> scraped = ScrapedValues(block, samples, scratch);
  if (origin.times == FrameTimes::kShared) return block.Append(scraped, samples.timestamp, out);

  // By series, counted from the block's begin: pages have their samples in any order.
  std::array<double, kBlockEntriesMax> values;
  std::array<TimestampMs, kBlockEntriesMax> timestamps;
  size_t next = 0;
  ForEachBit(BitsOf(samples.present, origin.begin, origin.end), [&](uint32_t i) {
    if (!HasBit(origin.members, i)) return;
    values[i] = scraped[next++];
    timestamps[i] = samples.timestamp;
  });
  for (const OwnSample& own : samples.own) {
    if (own.index < origin.begin || own.index >= origin.end) continue;
    values[own.index - origin.begin] = own.value;
    timestamps[own.index - origin.begin] = own.timestamp;
  }
  // Members alone, side by side: each is at its place or behind it.
  next = 0;
  ForEachBit(origin.members, [&](uint32_t i) {
    values[next] = values[i];
    timestamps[next++] = timestamps[i];
  });
  block.AppendOwn({values.data(), next}, {timestamps.data(), next}, out);
}

}  // namespace tributary
