#include "test/unit/agent/frame/frame_world.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <set>

#include "common/base/varint.h"
#include "common/wire/remote_write.h"

namespace tributary {

WorldGroup::WorldGroup(const std::vector<Labels>& series, std::vector<bool> dropped) {
  std::vector<std::string> packed(series.size());
  for (size_t i = 0; i < series.size(); i++) PackLabels(series[i], packed[i]);
  // Sorted as layouts sort them, each once.
  std::map<std::string, const Labels*> sorted;
  for (size_t i = 0; i < series.size(); i++) sorted.emplace(packed[i], &series[i]);
  std::vector<std::string_view> views;
  for (const auto& [bytes, of_series] : sorted) {
    views.push_back(bytes);
    const size_t i = labels.size();
    labels.push_back(i < dropped.size() && dropped[i] ? "" : EncodeLabels(*of_series));
  }
  definition = std::make_shared<const GroupDefinition>(1, 1, views);
}

BlockSource WorldGroup::Source(uint32_t chunk, FrameTimes times) const {
  BlockSource source;
  source.begin = begin(chunk);
  source.end = end(chunk);
  source.times = times;
  for (uint32_t i = source.begin; i < source.end; i++) {
    PutVarint(source.encoded, labels[i].size());
    source.encoded += labels[i];
  }
  return source;
}

GroupSamples Everything(const WorldGroup& group, TimestampMs timestamp) {
  GroupSamples samples;
  samples.group = group.definition;
  samples.timestamp = timestamp;
  samples.present.resize((group.series() + 63) / 64);
  for (uint32_t i = 0; i < group.series(); i++) {
    samples.present[i / 64] |= uint64_t{1} << (i % 64);
    samples.values.push_back(i + 0.5);
  }
  return samples;
}

void Remove(GroupSamples& samples, uint32_t series) {
  ptrdiff_t before = 0;
  for (uint32_t i = 0; i < series; i++) before += samples.Has(i);
  samples.values.erase(samples.values.begin() + before);
  samples.present[series / 64] &= ~(uint64_t{1} << (series % 64));
}

BlockRef Compile(BlockSource source, SymbolWriter* symbols) {
  HoleCompressor compressor;
  BlockJob job(compressor, std::move(source), symbols);
  while (!job.Advance(7)) {
  }
  return job.Take();
}

void GeneralPath::AddSample(const WorldGroup& group, const GroupSamples& samples, uint32_t series,
                            double value, TimestampMs timestamp) {
  const std::string& labels = group.labels[series];
  if (!is_v2_) return v1_.AddSample(labels, value, timestamp);
  SeriesV2 of{labels};
  const FamilyMetadata* family =
      samples.metadata == nullptr ? nullptr : samples.metadata->Of(series);
  if (family != nullptr) of = {labels, family->type, family->help, family->unit};
  const bool has_start = samples.starts != nullptr && !IsStaleNan(value);
  v2_.AddSample(of, value, timestamp, has_start ? (*samples.starts)[series] : 0);
}

void GeneralPath::Add(const WorldGroup& group, uint32_t chunk, const GroupSamples& samples) {
  constexpr uint64_t kAll = ~uint64_t{0};
  Add(group, chunk, samples, {kAll, kAll, kAll, kAll});
}

void GeneralPath::Add(const WorldGroup& group, uint32_t chunk, const GroupSamples& samples,
                      const BlockBits& only) {
  const uint32_t begin = group.begin(chunk), end = group.end(chunk);
  auto sends = [&](uint32_t series) {
    return series >= begin && series < end && !group.labels[series].empty() &&
           HasBit(only, series - begin);
  };
  auto add_own = [&](bool earlier) {
    for (const OwnSample& own : samples.own) {
      if (sends(own.index) && (own.timestamp < samples.timestamp) == earlier) {
        AddSample(group, samples, own.index, own.value, own.timestamp);
      }
    }
  };
  add_own(true);
  size_t value = 0;
  for (uint32_t i = 0; i < group.series(); i++) {
    if (!samples.Has(i)) continue;
    if (sends(i)) AddSample(group, samples, i, samples.values[value], samples.timestamp);
    value++;
  }
  add_own(false);
}

std::vector<std::string> Received(const std::string& body, bool is_v2) {
  const DecodedRequest request = DecodeWriteRequest(body, is_v2 ? kV2ContentType : "");
  std::map<std::string, std::vector<std::string>> by_series;
  for (const DecodedSample& sample : request.samples) {
    std::string text = std::to_string(std::bit_cast<uint64_t>(sample.value)) + " at " +
                       std::to_string(sample.timestamp) + " since " + std::to_string(sample.start);
    const DecodedMetadata& metadata = sample.metadata;
    text += " type " + std::to_string(metadata.type) + metadata.help + "|" + metadata.unit;
    by_series[sample.labels.ToString()].push_back(text);
  }
  std::vector<std::string> all;
  if (!request.error.empty()) all.push_back(request.error);
  for (const auto& [labels, samples] : by_series) {
    for (const std::string& sample : samples) all.push_back(labels + " " + sample);
  }
  return all;
}

Labels PodLabels(size_t i) {
  const std::string pod = std::to_string(i / 8);
  return {{"__name__", "container_metric_" + std::to_string(i % 8)},
          {"container", "app"},
          {"id", "/kubepods/burstable/pod" + pod + "/0f3c" + pod},
          {"instance", "10.11.12.13:10250"},
          {"job", "cadvisor"},
          {"namespace", "ns-" + std::to_string(i / 8 % 10)},
          {"pod", "checkout-" + pod}};
}

std::string RandomWorld::Text(size_t size_max) {
  static const std::vector<std::string> kPieces = {"a",  "b",    "pod-",       "\"",   "\\",
                                                   "\n", "ä",    "日本",       "\x01", "\x10\x09",
                                                   "0",  "-7f9", "\U0001F600", "=",    "x"};
  std::string text;
  const size_t size = 1 + Below(size_max);
  while (text.size() < size) text += kPieces[Below(kPieces.size())];
  return text;
}

Labels RandomWorld::AnyLabels(int kind, size_t i) {
  if (kind == 0) return PodLabels(i);
  if (kind == 1) return {{"__name__", "m"}, {"i", std::to_string(i)}};
  Labels labels{{"__name__", Text(12)}};
  const size_t count = Below(kind == 2 ? 5 : 25);
  for (size_t l = 0; l < count; l++) {
    // Names on both sides of __name__.
    const std::string name = (OneIn(4) ? "A" : "l") + std::to_string(Below(30));
    labels.Set(name, Text(OneIn(10) ? 300 : 12));
  }
  if (kind == 4 && OneIn(3)) labels.Set("long", Text(1 + Below(3000)));
  if (kind == 5 && OneIn(20)) labels.Set("huge", Text(1 + Below(70'000)));
  if (OneIn(30)) labels.Remove("__name__");
  labels.Set("unique", std::to_string(i));
  return labels;
}

WorldGroup RandomWorld::Group() {
  const int kind = static_cast<int>(Below(6));
  const size_t sizes[] = {1, 2, 63, 64, 65, 249, 250, 251, 500, 1 + Below(500)};
  size_t size = sizes[Below(std::size(sizes))];
  if (kind >= 4) size = std::min<size_t>(size, 60);
  std::vector<Labels> series;
  for (size_t i = 0; i < size; i++) series.push_back(AnyLabels(kind, i));
  std::vector<bool> dropped(size);
  if (OneIn(3)) {
    const uint64_t every = 1 + Below(20);
    for (size_t i = 0; i < size; i++) dropped[i] = OneIn(every);
  }
  WorldGroup group(series, dropped);
  const uint32_t chunks[] = {250, 250, 1, 7, 64, 100, 128, 167};
  group.chunk_series = chunks[Below(std::size(chunks))];
  return group;
}

TimestampMs RandomWorld::Time() {
  constexpr TimestampMs kNow = 1'790'000'000'000;
  if (!OneIn(5)) return kNow + static_cast<TimestampMs>(Below(100'000));
  constexpr auto kMax = std::numeric_limits<TimestampMs>::max();
  const TimestampMs edges[] = {0, 1, -1, 127, 128, kNow, kMax, -kMax, -kMax - 1};
  if (OneIn(3)) return edges[Below(std::size(edges))];
  // Around where varints get longer.
  const TimestampMs edge = TimestampMs{1} << (7 * (1 + Below(8)));
  return edge - 1 + static_cast<TimestampMs>(Below(3));
}

double RandomWorld::Value() {
  using Limits = std::numeric_limits<double>;
  const double special[] = {0.0,
                            -0.0,
                            1.0,
                            -1.0,
                            Limits::infinity(),
                            -Limits::infinity(),
                            Limits::quiet_NaN(),
                            StaleNan(),
                            Limits::denorm_min(),
                            Limits::max()};
  if (OneIn(3)) return special[Below(std::size(special))];
  return OneIn(2) ? static_cast<double>(Below(100'000)) / 8 : std::bit_cast<double>(random_());
}

GroupSamples RandomWorld::Samples(const WorldGroup& group) {
  GroupSamples samples;
  samples.group = group.definition;
  samples.timestamp = Time();
  samples.present.resize((group.series() + 63) / 64);
  const uint64_t gap_every[] = {0, 0, 0, 1000, 30, 2, 1};
  const uint64_t gap = gap_every[Below(std::size(gap_every))];
  const bool own_times = OneIn(3), no_stale = OneIn(2);
  constexpr TimestampMs kFar = TimestampMs{1} << 60;
  const TimestampMs before = std::clamp(samples.timestamp, -kFar, kFar) - 100;
  for (uint32_t i = 0; i < group.series(); i++) {
    if (gap > 0 && OneIn(gap)) continue;
    double value = Value();
    if (no_stale && IsStaleNan(value)) value = 1;
    if (own_times && !OneIn(20)) {
      samples.own.push_back({i, OneIn(10) ? Time() : before, value});
      if (OneIn(300)) samples.own.push_back({i, before + 5, value});
      if (!OneIn(300)) continue;
    }
    samples.present[i / 64] |= uint64_t{1} << (i % 64);
    samples.values.push_back(value);
  }
  std::shuffle(samples.own.begin(), samples.own.end(), random_);
  return samples;
}

std::shared_ptr<const SeriesMetadata> RandomWorld::Metadata(const WorldGroup& group) {
  if (OneIn(4)) return nullptr;
  std::vector<FamilyRef> families = {nullptr};
  const size_t count = 1 + Below(20);
  for (size_t i = 0; i < count; i++) {
    families.push_back(std::make_shared<const FamilyMetadata>(
        FamilyMetadata{"f", static_cast<MetricType>(Below(8)), OneIn(3) ? "" : Text(40),
                       OneIn(2) ? "" : Text(8)}));
  }
  std::vector<FamilyRef> of_series;
  for (uint32_t i = 0; i < group.series(); i++) {
    of_series.push_back(families[Below(families.size())]);
  }
  return std::make_shared<const SeriesMetadata>(of_series);
}

std::shared_ptr<const StartTimes> RandomWorld::Starts(const WorldGroup& group) {
  if (OneIn(2)) return nullptr;
  StartTimes starts;
  for (uint32_t i = 0; i < group.series(); i++) {
    starts.push_back(OneIn(3) ? 0 : OneIn(10) ? Time() : 1'780'000'000'000);
  }
  return std::make_shared<const StartTimes>(std::move(starts));
}

}  // namespace tributary
