#include "test/bench/load/load_sink.h"

#include <algorithm>
#include <functional>

#include "test/support/write_request.h"

namespace tributary {

namespace {

bool IsOfPage(const std::string& name) {
  return name.starts_with("container_") || name.starts_with("kube_") || name.starts_with("node_");
}

uint64_t HashOf(const Labels& labels) {
  uint64_t hash = 0;
  const std::hash<std::string_view> text;
  for (const Label& label : labels) {
    hash = (hash ^ text(label.name)) * 0x9e3779b97f4a7c15;
    hash = (hash ^ text(label.value)) * 0x9e3779b97f4a7c15;
  }
  return hash;
}

}  // namespace

Result<size_t> LoadSink::Take(std::string_view body, std::string_view content_type,
                              TimestampMs now) {
  const DecodedRequest request = DecodeWriteRequest(body, content_type);
  if (!request.error.empty()) return Fail(request.error);
  std::lock_guard lock(mutex_);
  counts_.requests++;
  counts_.wire_bytes += body.size();
  TimestampMs latest = 0;
  for (const DecodedSample& sample : request.samples) {
    if (!IsOfPage(sample.name())) continue;
    counts_.samples++;
    latest = std::max(latest, sample.timestamp);
    TimestampMs& last = last_[HashOf(sample.labels)];
    if (last == sample.timestamp) counts_.duplicates++;
    if (sample.timestamp < last) counts_.out_of_order++;
    const int64_t scrapes = (sample.timestamp - last + interval_.count() / 2) / interval_.count();
    if (last > 0 && scrapes > 1) counts_.missing += static_cast<uint64_t>(scrapes) - 1;
    last = std::max(last, sample.timestamp);
  }
  if (latest > 0) counts_.delays_ms.push_back(now - latest);
  return request.samples.size();
}

size_t LoadSink::series() const {
  std::lock_guard lock(mutex_);
  return last_.size();
}

LoadCounts LoadSink::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

void LoadSink::ResetCounts() {
  std::lock_guard lock(mutex_);
  counts_ = {};
}

}  // namespace tributary
