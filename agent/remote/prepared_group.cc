#include "agent/remote/prepared_group.h"

#include <snappy.h>

#include <algorithm>
#include <utility>

#include "agent/frame/thawed_block.h"
#include "agent/remote/remote_quota.h"
#include "common/base/assert.h"
#include "common/base/varint.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

std::string Compressed(const std::string& raw) {
  std::string compressed;
  snappy::Compress(raw.data(), raw.size(), &compressed);
  compressed.shrink_to_fit();
  return compressed;
}

}  // namespace

void AddExternalLabels(const Labels& external_labels, Labels& labels) {
  for (const Label& label : external_labels) {
    if (!labels.Has(label.name)) labels.Set(label.name, label.value);
  }
}

PreparedGroup::PreparedGroup(const GroupDefinition& group, const RemoteRules& rules,
                             const SeriesShare* share, RemoteQuota* quota)
    : series_(group.series()),
      chunk_series_(rules.chunk_series),
      kept_((group.series() + 63) / 64) {
  std::string buffer, raw;
  uint32_t series = 0;
  auto close_chunk = [&] {
    const auto chunk = static_cast<uint32_t>(chunks_.size());
    const size_t count = end(chunk) - begin(chunk);
    chunks_.push_back(
        {Compressed(raw), nullptr, static_cast<uint32_t>((raw.size() + count - 1) / count)});
    raw.clear();
  };
  for (std::string_view packed : group.Packed(buffer)) {
    if (series > 0 && series % chunk_series_ == 0) close_chunk();
    Labels labels = UnpackLabels(packed);
    const uint64_t bit = uint64_t{1} << (series % 64);
    const bool is_own = share == nullptr || share->Has(labels);
    if (!is_own) {
      elsewhere_.resize(kept_.size());
      elsewhere_[series / 64] |= bit;
    }
    std::string encoded;
    if (is_own) AddExternalLabels(rules.external_labels, labels);
    if (is_own && rules.write_relabel.Apply(labels) && !labels.empty()) {
      encoded = EncodeLabels(labels);
      if (quota == nullptr || quota->Take(group.target_key(), labels, encoded)) {
        kept_[series / 64] |= bit;
        kept_count_++;
      } else {
        encoded.clear();
        over_limit_.resize(kept_.size());
        over_limit_[series / 64] |= bit;
      }
    }
    PutVarint(raw, encoded.size());
    raw += encoded;
    series++;
  }
  close_chunk();
}

uint32_t PreparedGroup::end(uint32_t chunk) const {
  return std::min(series_, (chunk + 1) * chunk_series_);
}

void PreparedGroup::Inflate(const Chunk& chunk, std::string& buffer) const {
  if (chunk.labels.empty()) {
    buffer = ThawedBlock(*chunk.block).Encoded();
  } else {
    CHECK(snappy::Uncompress(chunk.labels.data(), chunk.labels.size(), &buffer));
  }
}

void PreparedGroup::SetBlock(uint32_t chunk, BlockRef block) {
  Chunk& held = chunks_[chunk];
  const bool has_labels = block != nullptr && !block->origin().is_v2();
  if (has_labels && block->origin().members == kept(chunk)) {
    std::string().swap(held.labels);
  } else if (held.labels.empty()) {
    std::string raw;
    Inflate(held, raw);
    held.labels = Compressed(raw);
  }
  held.block = std::move(block);
}

void PreparedGroup::Encoded(uint32_t chunk, std::string& buffer,
                            std::vector<std::string_view>& labels) const {
  Inflate(chunks_[chunk], buffer);
  labels.clear();
  std::string_view rest = buffer;
  while (!rest.empty()) {
    uint64_t size = 0;
    CHECK(TakeVarint(rest, size) && size <= rest.size());
    labels.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  CHECK(labels.size() == end(chunk) - begin(chunk));
}

size_t PreparedGroup::memory_bytes() const {
  const size_t words = kept_.capacity() + elsewhere_.capacity() + over_limit_.capacity();
  size_t bytes = sizeof(*this) + words * 8 + chunks_.capacity() * sizeof(Chunk);
  for (const Chunk& chunk : chunks_) bytes += chunk.labels.capacity();
  return bytes + frame_bytes();
}

size_t PreparedGroup::frame_bytes() const {
  size_t bytes = 0;
  for (const Chunk& chunk : chunks_) {
    if (chunk.block == nullptr) continue;
    // One of 2.0 is held by its unit as well.
    const bool is_shared = !chunk.block->origin().is_v2();
    const long holders = is_shared ? chunk.block.use_count() : 1;
    bytes += chunk.block->memory_bytes() / static_cast<size_t>(holders);
  }
  return bytes;
}

}  // namespace tributary
