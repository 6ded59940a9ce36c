// Writes the entries of chunks into the body of a request, in the protocol that the remote speaks.
// Everything that Prometheus' queue batches becomes a series entry of its own, those of a series in
// the order of the calls (queue_manager.go, populateTimeSeries and populateV2TimeSeries). One
// thread.
//
// In remote write 1.0 a chunk's floats are filled into its block where it has one that fits
// (agent/frame); all else takes the general path, behind the blocks of the request. In 2.0 either
// all of a request is filled into blocks, or nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/frame/frame_request.h"
#include "agent/remote/chunk_samples.h"
#include "agent/remote/prepared_group.h"
#include "agent/series/samples.h"
#include "common/base/time.h"
#include "common/config/model.h"
#include "common/wire/remote_write.h"
#include "common/wire/remote_write_v2.h"

namespace tributary {

class RequestEncoder {
 public:
  explicit RequestEncoder(RemoteWriteMessage message)
      : is_v1_(message == RemoteWriteMessage::kV1), v1_(std::in_place), v2_(std::in_place) {}

  // Whether help and unit of their families go with the series.
  bool has_metadata() const { return !is_v1_; }

  // Begins a request: what is from before `oldest` is left out, and counted in too_old() unless it
  // is from before `known_old` even.
  // `symbols` of blocks of 2.0, for a request that takes all of its samples from such; they must
  // not change until Finish.
  void Begin(TimestampMs known_old, TimestampMs oldest, const FrameSymbols* symbols = nullptr);
  // All entries of a chunk, its floats by its block as far as that has them. False, and nothing is
  // added: there is no block, or it does not fit. The samples have to live until Finish.
  bool AddFramed(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk);
  // Of the entries of the range only those selected, if anything is; what is left out of them as
  // too old is gone.
  void Add(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
           EntryRange range, const EntrySelection* selection = nullptr);
  // The compressed request; "" if nothing was young enough.
  std::string Finish();

  // Of the request since Begin.
  const SampleCounts& written() const { return written_; }
  const SampleCounts& too_old() const { return too_old_; }
  // Of written(), what came by blocks.
  uint64_t framed() const { return framed_; }
  // The times of what is in it; only if something is.
  TimestampMs earliest() const { return earliest_; }
  TimestampMs latest() const { return latest_; }

 private:
  // Which entries of a part are to go in.
  struct Wanted {
    EntryRange range;
    const EntrySelection* selection;
    uint64_t entry = 0;  // the next
  };
  void Decode(const PreparedGroup& prepared, uint32_t chunk);
  void AddFloat(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t series,
                TimestampMs timestamp, double value);
  void AddIrregular(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
                    Wanted& wanted);
  void AddOthers(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
                 const BlockBits& series);
  void JoinGeneral();
  // Whether the next entry, of this time, goes in; counts it.
  bool Takes(Wanted& wanted, TimestampMs timestamp, uint64_t SampleCounts::*kind);
  SeriesV2 SeriesOf(const GroupSamples& samples, uint32_t series, std::string_view labels) const;

  const bool is_v1_;
  // Made anew for each request, so that idle queues keep no room for one.
  std::optional<WriteRequestBuilder> v1_;
  std::optional<WriteRequestV2Builder> v2_;
  FrameRequest frames_;
  bool takes_blocks_ = true;
  TimestampMs known_old_ = 0, oldest_ = 0, earliest_ = 0, latest_ = 0;
  SampleCounts written_, too_old_;
  uint64_t framed_ = 0;
  // The chunk whose labels are decoded: the last one that took the general path.
  const PreparedGroup* decoded_ = nullptr;
  uint32_t decoded_chunk_ = 0;
  std::string label_bytes_;
  std::vector<std::string_view> labels_;
};

}  // namespace tributary
