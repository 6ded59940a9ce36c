// Writes the entries of chunks into the body of a request, in the protocol that the remote speaks.
// Everything that Prometheus' queue batches becomes a series entry of its own, in the order of the
// calls (queue_manager.go, populateTimeSeries and populateV2TimeSeries). One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

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
      : is_v1_(message == RemoteWriteMessage::kV1) {}

  // Whether help and unit of their families go with the series.
  bool has_metadata() const { return !is_v1_; }

  // Begins a request: what is from before `oldest` is left out, and counted in too_old() unless it
  // is from before `known_old` even.
  void Begin(TimestampMs known_old, TimestampMs oldest);
  // Of the entries of the range only those selected, if anything is; what is left out of them as
  // too old is gone.
  void Add(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk,
           EntryRange range, const EntrySelection* selection = nullptr);
  // The compressed request; "" if nothing was young enough.
  std::string Finish();

  // Of the request since Begin.
  const SampleCounts& written() const { return written_; }
  const SampleCounts& too_old() const { return too_old_; }
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
  // Whether the next entry, of this time, goes in; counts it.
  bool Takes(Wanted& wanted, TimestampMs timestamp, uint64_t SampleCounts::*kind);
  SeriesV2 SeriesOf(const GroupSamples& samples, uint32_t series, std::string_view labels) const;

  const bool is_v1_;
  WriteRequestBuilder v1_;
  WriteRequestV2Builder v2_;
  TimestampMs known_old_ = 0, oldest_ = 0, earliest_ = 0, latest_ = 0;
  SampleCounts written_, too_old_;
  // The chunk whose labels are decoded.
  const PreparedGroup* decoded_ = nullptr;
  uint32_t decoded_chunk_ = 0;
  std::string label_bytes_;
  std::vector<std::string_view> labels_;
};

}  // namespace tributary
