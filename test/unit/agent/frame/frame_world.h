// Groups, their samples, and the requests that the general path and frames make of them.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "agent/frame/block_job.h"
#include "agent/frame/frame_request.h"
#include "agent/frame/frame_unit.h"
#include "agent/series/samples.h"
#include "common/labels/labels.h"
#include "test/support/write_request.h"

namespace tributary {

// A group as a remote sends it.
struct WorldGroup {
  GroupRef definition;
  // Of common/wire, by series; "": the remote's rules drop it.
  std::vector<std::string> labels;
  uint32_t chunk_series = 250;

  WorldGroup(const std::vector<Labels>& series, std::vector<bool> dropped = {});

  uint32_t series() const { return definition->series(); }
  uint32_t chunks() const { return (series() + chunk_series - 1) / chunk_series; }
  uint32_t begin(uint32_t chunk) const { return chunk * chunk_series; }
  uint32_t end(uint32_t chunk) const { return std::min(series(), begin(chunk) + chunk_series); }
  BlockSource Source(uint32_t chunk, FrameTimes times) const;
};

// A sample for each series, values 0.5, 1.5 ...
GroupSamples Everything(const WorldGroup& group, TimestampMs timestamp);
// Takes a series out of what has the scrape's time.
void Remove(GroupSamples& samples, uint32_t series);

BlockRef Compile(BlockSource source, SymbolWriter* symbols = nullptr);

// Writes the floats of chunks as the general path does.
class GeneralPath {
 public:
  explicit GeneralPath(bool is_v2) : is_v2_(is_v2) {}
  // `only`: of these series, counted from the chunk's begin.
  void Add(const WorldGroup& group, uint32_t chunk, const GroupSamples& samples);
  void Add(const WorldGroup& group, uint32_t chunk, const GroupSamples& samples,
           const BlockBits& only);
  std::string Finish() { return is_v2_ ? v2_.Finish() : v1_.Finish(); }

 private:
  void AddSample(const WorldGroup& group, const GroupSamples& samples, uint32_t series,
                 double value, TimestampMs timestamp);

  const bool is_v2_;
  WriteRequestBuilder v1_;
  WriteRequestV2Builder v2_;
};

constexpr const char* kV2ContentType =
    "application/x-protobuf;proto=io.prometheus.write.v2.Request";

// What a receiver makes of a request: its samples as text, the bits of values included, sorted by
// series; those of a series in the order of the request. Begins with an error if there is one.
std::vector<std::string> Received(const std::string& body, bool is_v2);

// Labels as pages have them: `i` numbers them.
Labels PodLabels(size_t i);

// All that random tests draw from one seed.
class RandomWorld {
 public:
  explicit RandomWorld(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  WorldGroup Group();
  TimestampMs Time();
  double Value();
  GroupSamples Samples(const WorldGroup& group);
  std::shared_ptr<const SeriesMetadata> Metadata(const WorldGroup& group);
  std::shared_ptr<const StartTimes> Starts(const WorldGroup& group);

 private:
  std::string Text(size_t size_max);
  Labels AnyLabels(int kind, size_t i);

  std::mt19937_64 random_;
};

}  // namespace tributary
