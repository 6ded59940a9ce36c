#include "test/unit/agent/log/log_samples.h"

#include <bit>
#include <vector>

#include <fmt/format.h>

namespace tributary {

namespace {

double RandomValue(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0:
      return StaleNan();
    case 1:
      return 0;
    default:
      return std::bit_cast<double>(random());
  }
}

}  // namespace

GroupRef RandomGroup(std::mt19937_64& random, uint64_t target_key, uint32_t series) {
  std::vector<std::string> packed(series);
  for (uint32_t i = 0; i < series; i++) {
    const std::string number = std::to_string(i + 1000 * (random() % 1000));
    PackLabels(Labels{{"__name__", "m" + std::to_string(random() % 3)},
                      {"i", number},
                      {"target", std::to_string(target_key)}},
               packed[i]);
  }
  return std::make_shared<const GroupDefinition>(
      target_key, random() % 5, std::vector<std::string_view>(packed.begin(), packed.end()));
}

GroupSamples RandomSamples(std::mt19937_64& random, const GroupRef& group, TimestampMs timestamp) {
  const auto chance = [&](uint64_t in) { return random() % in == 0; };
  const uint32_t series = group->series();
  GroupSamples samples;
  samples.group = group;
  samples.timestamp = timestamp;
  samples.present.resize((series + 63) / 64);
  const bool gaps = chance(2);
  for (uint32_t i = 0; i < series; i++) {
    if (gaps && chance(3)) continue;
    samples.present[i / 64] |= uint64_t{1} << (i % 64);
    samples.values.push_back(RandomValue(random));
  }
  const auto time = [&] {
    return chance(10) ? static_cast<TimestampMs>(random())
                      : timestamp - static_cast<TimestampMs>(random() % 100'000);
  };
  if (chance(4)) {
    for (uint64_t n = 1 + random() % 5; n > 0; n--) {
      samples.own.push_back({static_cast<uint32_t>(random() % series), time(), RandomValue(random)});
    }
  }
  if (chance(4)) {
    IrregularSamples irregular;
    for (uint64_t n = random() % 3; n > 0; n--) {
      irregular.histograms.push_back({static_cast<uint32_t>(random() % series), time(),
                                      chance(2) ? time() : 0, chance(2),
                                      std::string(random() % 50, 'h')});
    }
    for (uint64_t n = random() % 3; n > 0; n--) {
      std::string labels;
      if (chance(2)) PackLabels(Labels{{"trace_id", std::to_string(random())}}, labels);
      irregular.exemplars.push_back(
          {static_cast<uint32_t>(random() % series), time(), RandomValue(random), labels});
    }
    if (!irregular.histograms.empty() || !irregular.exemplars.empty()) {
      samples.irregular = std::make_shared<const IrregularSamples>(std::move(irregular));
    }
  }
  if (chance(4)) {
    auto starts = std::make_shared<StartTimes>(series);
    for (TimestampMs& start : *starts) start = chance(3) ? 0 : time();
    samples.starts = std::move(starts);
  }
  if (chance(4)) {
    std::vector<FamilyRef> families;
    for (int i = 0; i < 3; i++) {
      families.push_back(std::make_shared<const FamilyMetadata>(
          FamilyMetadata{"m" + std::to_string(i), static_cast<MetricType>(random() % 8),
                         "help " + std::to_string(random() % 10), chance(2) ? "" : "seconds"}));
    }
    std::vector<FamilyRef> of_series(series);
    for (FamilyRef& family : of_series) {
      if (!chance(5)) family = families[random() % families.size()];
    }
    samples.metadata = std::make_shared<const SeriesMetadata>(of_series);
  }
  if (samples.empty()) {
    samples.present[0] |= 1;
    samples.values.push_back(1);
  }
  return samples;
}

std::string TextOf(const GroupSamples& samples) {
  std::string text = fmt::format("{} @{}", samples.group->target_key(), samples.timestamp);
  for (const Labels& labels : samples.group->Decode()) {
    for (const Label& label : labels) text += fmt::format(" {}={}", label.name, label.value);
    text += ';';
  }
  for (uint64_t word : samples.present) text += fmt::format(" {:x}", word);
  for (double value : samples.values) text += fmt::format(" {:x}", std::bit_cast<uint64_t>(value));
  for (const OwnSample& own : samples.own) {
    text += fmt::format(" own {} {} {:x}", own.index, own.timestamp,
                        std::bit_cast<uint64_t>(own.value));
  }
  if (samples.irregular != nullptr) {
    for (const HistogramSample& h : samples.irregular->histograms) {
      text += fmt::format(" hist {} {} {} {} {}", h.index, h.timestamp, h.start, h.custom_buckets,
                          h.encoded);
    }
    for (const ExemplarSample& e : samples.irregular->exemplars) {
      text += fmt::format(" ex {} {} {:x} {}", e.index, e.timestamp,
                          std::bit_cast<uint64_t>(e.value), e.labels);
    }
  }
  if (samples.starts != nullptr) {
    for (TimestampMs start : *samples.starts) text += fmt::format(" start {}", start);
  }
  if (samples.metadata != nullptr) {
    for (uint32_t i = 0; i < samples.group->series(); i++) {
      const FamilyMetadata* family = samples.metadata->Of(i);
      text += family == nullptr ? " none"
                                : fmt::format(" {}/{}/{}/{}", family->family,
                                              static_cast<int>(family->type), family->help,
                                              family->unit);
    }
  }
  return text;
}

}  // namespace tributary
