#include "agent/receive/received_series.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/hash.h"

namespace tributary {

uint64_t SourceKeyOf(std::string_view job, std::string_view instance, std::string_view cluster) {
  std::string text = "received";
  for (const std::string_view part : {job, instance, cluster}) {
    text += '\0';
    text += part;
  }
  return StableHash(text);
}

ReceivedSeries::Ref ReceivedSeries::Learn(const ReceivedLine& line, const Labels& labels) {
  const uint64_t key =
      SourceKeyOf(labels.Get("job"), labels.Get("instance"), labels.Get("cluster"));
  auto [it, is_new_source] = by_key_.try_emplace(key, 0);
  if (is_new_source) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(sources_.size()));
      sources_.emplace_back();
    }
    it->second = free_.back();
    free_.pop_back();
    sources_[it->second] = std::make_unique<ReceivedSource>(key, first_generation_);
  }
  Ref ref{it->second, 0};
  bool is_new = false;
  ref.line = sources_[ref.source]->Learn(line, labels, is_new);
  series_added_ += is_new;
  index_.insert_or_assign(line.hash, ref);
  return ref;
}

std::optional<uint16_t> ReceivedSeries::OwnerOf(const Labels& labels) {
  const auto it =
      by_key_.find(SourceKeyOf(labels.Get("job"), labels.Get("instance"), labels.Get("cluster")));
  if (it == by_key_.end()) return std::nullopt;
  ReceivedSource& source = *sources_[it->second];
  const uint32_t place = source.Find(labels);
  if (place == TargetLayout::kNoPlace) return std::nullopt;
  return source.owner(place);
}

void ReceivedSeries::ForgetOwners() {
  for (const auto& source : sources_) {
    if (source != nullptr) source->ForgetOwners();
  }
}

void ReceivedSeries::Settle(uint32_t number) {
  sources_[number]->Settle([this](uint64_t hash) { index_.erase(hash); },
                           [this, number](uint64_t hash, uint32_t line) {
                             index_.insert_or_assign(hash, Ref{number, line});
                           });
}

void ReceivedSeries::ForgetLines() {
  index_.clear();
  for (const auto& source : sources_) {
    if (source != nullptr) source->ForgetLines();
  }
}

void ReceivedSeries::Sweep(const ReceivedSource::OwnerChange& own) {
  for (uint32_t number = 0; number < sources_.size(); number++) {
    std::unique_ptr<ReceivedSource>& source = sources_[number];
    if (source == nullptr) continue;
    const bool lives = source->Sweep([this](uint64_t hash) { index_.erase(hash); },
                                     [this, number](uint64_t hash, uint32_t line) {
                                       index_.insert_or_assign(hash, Ref{number, line});
                                     },
                                     own);
    if (lives) continue;
    first_generation_ = std::max(first_generation_, source->layout().generation() + 1);
    for (uint32_t line = 0; line < source->lines(); line++) index_.erase(source->hash(line));
    by_key_.erase(source->layout().target_key());
    source.reset();
    free_.push_back(number);
  }
}

size_t ReceivedSeries::series() const {
  size_t series = 0;
  for (const auto& source : sources_) series += source == nullptr ? 0 : source->layout().series();
  return series;
}

size_t ReceivedSeries::memory_bytes() const {
  size_t bytes = index_.bucket_count() * (sizeof(uint64_t) + sizeof(Ref) + 1) +
                 by_key_.bucket_count() * 13 + sources_.capacity() * sizeof(void*);
  for (const auto& source : sources_) bytes += source == nullptr ? 0 : source->memory_bytes();
  return bytes;
}

}  // namespace tributary
