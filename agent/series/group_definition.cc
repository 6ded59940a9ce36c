#include "agent/series/group_definition.h"

#include <snappy.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "common/base/assert.h"
#include "common/base/sized_text.h"
#include "common/base/varint.h"

namespace tributary {

namespace {

// Nothing compresses better: a copy of 64 bytes takes three. What says more would only allocate.
constexpr size_t kSnappyRatioMax = 64;

uint64_t NextId() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// A series of a group's bytes; `packed` is the one before and becomes this one.
bool TakePacked(std::string_view& in, std::string& packed) {
  uint64_t shared = 0;
  std::string_view rest;
  if (!TakeVarint(in, shared) || shared > packed.size() || !TakeText(in, rest)) return false;
  packed.resize(shared);
  packed += rest;
  return true;
}

}  // namespace

GroupDefinition::GroupDefinition(uint64_t target_key, uint64_t generation,
                                 const std::vector<std::string_view>& packed)
    : target_key_(target_key),
      id_(NextId()),
      generation_(generation),
      series_(static_cast<uint32_t>(packed.size())) {
  CHECK(!packed.empty() && packed.size() <= kGroupSeriesMax);
  std::string raw;
  std::string_view before;
  for (std::string_view labels : packed) {
    const auto differs = std::mismatch(labels.begin(), labels.end(), before.begin(), before.end());
    const auto shared = static_cast<size_t>(differs.first - labels.begin());
    PutVarint(raw, shared);
    PutText(raw, labels.substr(shared));
    before = labels;
  }
  snappy::Compress(raw.data(), raw.size(), &compressed_);
  compressed_.shrink_to_fit();
}

GroupDefinition::GroupDefinition(uint64_t target_key, uint64_t generation, uint32_t series,
                                 std::string compressed)
    : target_key_(target_key),
      id_(NextId()),
      generation_(generation),
      series_(series),
      compressed_(std::move(compressed)) {}

Result<std::shared_ptr<const GroupDefinition>> GroupDefinition::FromCompressed(
    uint64_t target_key, uint64_t generation, uint32_t series, std::string_view compressed) {
  std::string raw;
  size_t raw_size = 0;
  bool good = series > 0 && series <= kGroupSeriesMax &&
              snappy::GetUncompressedLength(compressed.data(), compressed.size(), &raw_size);
  if (good && raw_size / kSnappyRatioMax > compressed.size()) {
    return Fail("the definition of a group says that " + std::to_string(compressed.size()) +
                " bytes of it are " + std::to_string(raw_size));
  }
  good = good && snappy::Uncompress(compressed.data(), compressed.size(), &raw);
  std::string_view rest = raw;
  std::string packed;
  for (uint32_t i = 0; good && i < series; i++) {
    std::string_view text;
    good = TakePacked(rest, packed);
    std::string_view labels = packed;
    while (good && !labels.empty()) {
      good = TakeText(labels, text) && TakeText(labels, text);
    }
  }
  if (!good || !rest.empty()) return Fail("the definition of a group is malformed");
  return std::shared_ptr<const GroupDefinition>(
      new GroupDefinition(target_key, generation, series, std::string(compressed)));
}

void PackedCursor::Begin(const GroupDefinition& group) {
  const std::string& compressed = group.compressed();
  CHECK(snappy::Uncompress(compressed.data(), compressed.size(), &raw_));
  rest_ = raw_;
  packed_.clear();
}

bool PackedCursor::Next(std::string_view& packed) {
  if (rest_.empty()) return false;
  CHECK(TakePacked(rest_, packed_));
  packed = packed_;
  return true;
}

std::vector<std::string_view> GroupDefinition::Packed(std::string& buffer) const {
  PackedCursor cursor;
  cursor.Begin(*this);
  buffer.clear();
  std::vector<size_t> ends;
  ends.reserve(series_);
  for (std::string_view packed; cursor.Next(packed);) {
    buffer += packed;
    ends.push_back(buffer.size());
  }
  CHECK(ends.size() == series_);
  std::vector<std::string_view> views;
  views.reserve(series_);
  size_t begin = 0;
  for (const size_t end : ends) {
    views.push_back(std::string_view(buffer).substr(begin, end - begin));
    begin = end;
  }
  return views;
}

std::vector<Labels> GroupDefinition::Decode() const {
  std::string buffer;
  std::vector<Labels> labels;
  labels.reserve(series_);
  for (std::string_view packed : Packed(buffer)) labels.push_back(UnpackLabels(packed));
  return labels;
}

}  // namespace tributary
