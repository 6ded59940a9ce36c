#include "agent/remote/prepared_group.h"

#include <snappy.h>

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/varint.h"
#include "common/wire/remote_write.h"

namespace tributary {

void AddExternalLabels(const Labels& external_labels, Labels& labels) {
  for (const Label& label : external_labels) {
    if (!labels.Has(label.name)) labels.Set(label.name, label.value);
  }
}

PreparedGroup::PreparedGroup(const GroupDefinition& group, const RemoteRules& rules)
    : series_(group.series()),
      chunk_series_(rules.chunk_series),
      kept_((group.series() + 63) / 64) {
  std::string buffer, raw;
  uint32_t series = 0;
  auto close_chunk = [&] {
    snappy::Compress(raw.data(), raw.size(), &chunks_.emplace_back());
    chunks_.back().shrink_to_fit();
    const size_t count = end(static_cast<uint32_t>(chunks_.size()) - 1) -
                         begin(static_cast<uint32_t>(chunks_.size()) - 1);
    bytes_per_series_.push_back(static_cast<uint32_t>((raw.size() + count - 1) / count));
    raw.clear();
  };
  for (std::string_view packed : group.Packed(buffer)) {
    if (series > 0 && series % chunk_series_ == 0) close_chunk();
    Labels labels = UnpackLabels(packed);
    AddExternalLabels(rules.external_labels, labels);
    std::string encoded;
    if (rules.write_relabel.Apply(labels) && !labels.empty()) {
      encoded = EncodeLabels(labels);
      kept_[series / 64] |= uint64_t{1} << (series % 64);
      kept_count_++;
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

void PreparedGroup::Encoded(uint32_t chunk, std::string& buffer,
                            std::vector<std::string_view>& labels) const {
  const std::string& compressed = chunks_[chunk];
  CHECK(snappy::Uncompress(compressed.data(), compressed.size(), &buffer));
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
  size_t bytes = sizeof(*this) + kept_.capacity() * 8;
  for (const std::string& chunk : chunks_) bytes += sizeof(chunk) + chunk.capacity();
  return bytes;
}

}  // namespace tributary
