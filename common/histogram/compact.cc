#include "common/histogram/compact.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace tributary {
namespace {

using Spans = std::vector<BucketSpan>;

int32_t Add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

// The counts of buckets that are stored as deltas (integers) or as they are, read and written in
// place: what is written is never ahead of what is read.
template <typename T>
class Counts {
 public:
  explicit Counts(std::vector<T>& buckets) : buckets_(buckets) {}

  size_t left() const { return buckets_.size() - read_; }
  T Read() {
    const T stored = buckets_[read_++];
    if constexpr (std::is_same_v<T, double>) return stored;
    last_read_ += static_cast<uint64_t>(stored);
    return static_cast<T>(last_read_);
  }
  void Write(T count) {
    if constexpr (std::is_same_v<T, double>) {
      buckets_[written_++] = count;
    } else {
      const auto wrapped = static_cast<uint64_t>(count);
      buckets_[written_++] = static_cast<T>(wrapped - last_written_);
      last_written_ = wrapped;
    }
  }
  void Finish() { buckets_.resize(written_); }

 private:
  std::vector<T>& buckets_;
  size_t read_ = 0, written_ = 0;
  uint64_t last_read_ = 0, last_written_ = 0;
};

template <typename T>
bool IsCompact(const std::vector<T>& buckets, const Spans& spans, uint32_t empty_buckets_max) {
  T count = 0;
  for (const T bucket : buckets) {
    if constexpr (std::is_same_v<T, double>) {
      count = bucket;
    } else {
      count = static_cast<T>(static_cast<uint64_t>(count) + static_cast<uint64_t>(bucket));
    }
    if (count == 0) return false;
  }
  return std::all_of(spans.begin(), spans.end(), [&](const BucketSpan& span) {
    return span.length != 0 && int64_t{span.offset} > int64_t{empty_buckets_max};
  });
}

// Joins spans without a gap, and gives the offset of empty ones to what follows.
void NormalizeSpans(Spans& spans) {
  size_t kept = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset == 0) {
      spans[kept - 1].length += spans[i].length;
    } else {
      spans[kept++] = spans[i];
    }
  }
  spans.resize(kept);
  kept = 0;
  int32_t offset = 0;
  for (const BucketSpan& span : spans) {
    offset = Add(offset, span.offset);
    if (span.length == 0) continue;
    spans[kept++] = {offset, span.length};
    offset = 0;
  }
  spans.resize(kept);
}

// Writes the spans of the buckets that stay behind the given ones. Each given span begins a new
// one; inside it runs of at most `empty_buckets_max` empty buckets stay.
template <typename T>
class Cutter {
 public:
  Cutter(std::vector<T>& buckets, Spans& spans, uint32_t empty_buckets_max)
      : counts_(buckets), spans_(spans), given_(spans.size()), empty_max_(empty_buckets_max) {}

  void Run() {
    for (size_t i = 0; i < given_; ++i) {
      gap_ = Add(gap_, spans_[i].offset);
      empty_ = 0;
      open_ = false;
      for (uint32_t k = spans_[i].length; k > 0; --k) Take(counts_.Read());
      gap_ = Add(gap_, static_cast<int32_t>(empty_));
    }
    counts_.Finish();
    spans_.erase(spans_.begin(), spans_.begin() + static_cast<ptrdiff_t>(given_));
  }

 private:
  void Take(T count) {
    if (count == 0) {
      ++empty_;
      return;
    }
    if (open_ && empty_ <= empty_max_) {
      for (; empty_ > 0; --empty_) {
        counts_.Write(0);
        ++spans_.back().length;
      }
    } else {
      spans_.push_back({Add(gap_, static_cast<int32_t>(empty_)), 0});
      gap_ = 0;
      empty_ = 0;
      open_ = true;
    }
    counts_.Write(count);
    ++spans_.back().length;
  }

  Counts<T> counts_;
  Spans& spans_;
  const size_t given_;
  const uint32_t empty_max_;
  int32_t gap_ = 0;     // to the last span written
  uint32_t empty_ = 0;  // buckets since the last one written, or since the given span's begin
  bool open_ = false;   // a span was written for the given one
};

template <typename T>
void CompactSide(std::vector<T>& buckets, Spans& spans, uint32_t empty_buckets_max) {
  if (IsCompact(buckets, spans, empty_buckets_max)) return;
  NormalizeSpans(spans);
  if (spans.empty()) {
    buckets.clear();
    return;
  }
  uint64_t covered = 0;
  for (const BucketSpan& span : spans) covered += span.length;
  if (covered != buckets.size()) return;  // and so it stays
  Cutter<T>(buckets, spans, empty_buckets_max).Run();
}

}  // namespace

void CompactHistogram(NativeHistogram& histogram, uint32_t empty_buckets_max) {
  NativeHistogram& h = histogram;
  if (h.is_float) {
    CompactSide(h.positive_counts, h.positive_spans, empty_buckets_max);
    CompactSide(h.negative_counts, h.negative_spans, empty_buckets_max);
  } else {
    CompactSide(h.positive_deltas, h.positive_spans, empty_buckets_max);
    CompactSide(h.negative_deltas, h.negative_spans, empty_buckets_max);
  }
}

}  // namespace tributary
