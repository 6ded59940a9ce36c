// Groups and samples of all kinds, at random.
#pragma once

#include <memory>
#include <random>
#include <string>

#include "agent/series/samples.h"

namespace tributary {

GroupRef RandomGroup(std::mt19937_64& random, uint64_t target_key, uint32_t series);
// One scrape's of the group: some absent, some with times of their own, at times histograms,
// exemplars, start times and metadata. Never empty.
GroupSamples RandomSamples(std::mt19937_64& random, const GroupRef& group, TimestampMs timestamp);
// All that a record says, as text: for comparison. NaNs by their bits.
std::string TextOf(const GroupSamples& samples);

}  // namespace tributary
