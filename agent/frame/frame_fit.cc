#include "agent/frame/frame_fit.h"

#include <algorithm>
#include <array>

#include "agent/frame/frame_time.h"

namespace tributary {

namespace {

bool IsSame(const FamilyMetadata* a, const FamilyMetadata* b) {
  static const FamilyMetadata unknown;
  if (a == b) return true;
  if (a == nullptr) a = &unknown;
  if (b == nullptr) b = &unknown;
  return a->type == b->type && a->unit == b->unit && a->help == b->help;
}

// Records share what they know of their series until it changes: mostly a comparison of pointers.
bool HasSameConstants(const BlockOrigin& origin, const GroupSamples& samples) {
  if (!origin.is_v2()) return true;
  const SeriesMetadata *metadata = origin.metadata.get(), *new_metadata = samples.metadata.get();
  const StartTimes *starts = origin.starts.get(), *new_starts = samples.starts.get();
  bool same = true;
  if (metadata != new_metadata) {
    ForEachBit(origin.members, [&](uint32_t i) {
      const uint32_t series = origin.begin + i;
      same = same && IsSame(metadata == nullptr ? nullptr : metadata->Of(series),
                            new_metadata == nullptr ? nullptr : new_metadata->Of(series));
    });
  }
  if (starts != new_starts) {
    ForEachBit(origin.members, [&](uint32_t i) {
      const uint32_t series = origin.begin + i;
      same = same && (starts == nullptr ? 0 : (*starts)[series]) ==
                         (new_starts == nullptr ? 0 : (*new_starts)[series]);
    });
  }
  return same;
}

bool HasStaleMarker(const FrameBlock& block, const GroupSamples& samples) {
  const BlockOrigin& origin = block.origin();
  std::array<double, kBlockEntriesMax> scratch;
  const std::span<const double> values = ScrapedValues(block, samples, scratch);
  return std::any_of(values.begin(), values.end(), IsStaleNan) ||
         std::any_of(samples.own.begin(), samples.own.end(), [&](const OwnSample& own) {
           return own.index >= origin.begin && own.index < origin.end && IsStaleNan(own.value);
         });
}

}  // namespace

FrameFit FitOf(const FrameBlock& block, const GroupSamples& samples) {
  const BlockOrigin& origin = block.origin();
  FrameFit fit;
  auto note = [&](TimestampMs timestamp) {
    fit.earliest = std::min(fit.earliest, timestamp);
    fit.latest = std::max(fit.latest, timestamp);
  };
  BlockBits there = BitsOf(samples.present, origin.begin, origin.end);
  if (const BlockBits scraped = CommonBits(there, origin.members); !IsEmpty(scraped)) {
    fit.samples = CountBits(scraped);
    note(samples.timestamp);
  }
  bool has_own = false, has_twice = false;
  for (const OwnSample& own : samples.own) {
    if (own.index < origin.begin || own.index >= origin.end) continue;
    const uint32_t i = own.index - origin.begin;
    if (HasBit(origin.members, i)) {
      fit.samples++;
      has_own = true;
      has_twice |= HasBit(there, i);
      note(own.timestamp);
    }
    SetBit(there, i);
  }
  fit.others = Without(there, origin.members);
  if (!HasSameConstants(origin, samples)) return fit;
  const bool patch = fit.samples == block.series() && !has_twice && FitsFrame(fit.earliest) &&
                     FitsFrame(fit.latest) && (!has_own || origin.times == FrameTimes::kOwn) &&
                     !(origin.starts != nullptr && HasStaleMarker(block, samples));
  fit.way = patch ? FrameFit::Way::kPatch : FrameFit::Way::kRewrite;
  return fit;
}

std::span<const double> ScrapedValues(const FrameBlock& block, const GroupSamples& samples,
                                      std::span<double> scratch) {
  const BlockOrigin& origin = block.origin();
  const BlockBits there = BitsOf(samples.present, origin.begin, origin.end);
  size_t value = 0;
  for (uint32_t w = 0; w < origin.begin / 64; w++) {
    value += static_cast<size_t>(std::popcount(samples.present[w]));
  }
  if (origin.begin % 64 != 0) {
    const uint64_t before = (uint64_t{1} << (origin.begin % 64)) - 1;
    value += static_cast<size_t>(std::popcount(samples.present[origin.begin / 64] & before));
  }
  if (there == origin.members) return std::span(samples.values).subspan(value, block.series());
  size_t count = 0;
  ForEachBit(there, [&](uint32_t i) {
    if (HasBit(origin.members, i)) scratch[count++] = samples.values[value];
    value++;
  });
  return scratch.first(count);
}

}  // namespace tributary
