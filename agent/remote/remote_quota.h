// The limit on the series of a remote_write entry: which of them have room.
//
// What counts are the series that the remote's rules keep, by their labels as they are sent, of the
// groups that the queue knows: those of targets and sources that there are, and of what waits in
// the log. A series in several groups (after a regrouping) counts once. Whether it has room is
// decided when its group is prepared, never for a sample. The agent's own series count, and always
// have room.
//
// Room is the process', shared by the queues of all workers; what has it is known by each queue for
// the series that it has, as a target belongs to one worker. Memory: some 20 bytes a series where
// there is a limit; of those over it the kRefusedMax last ones, to count each once. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "agent/limits/series_limits.h"
#include "agent/remote/prepared_group.h"
#include "common/event/event_loop.h"

namespace tributary {

class RemoteQuota {
 public:
  static constexpr size_t kRefusedMax = 100'000;

  // `limits`, where the agent's own targets are known: null: none are.
  RemoteQuota(const EventLoop& loop, const SeriesLimits* limits) : loop_(loop), limits_(limits) {}
  ~RemoteQuota() { SetLimit(nullptr); }
  RemoteQuota(const RemoteQuota&) = delete;
  RemoteQuota& operator=(const RemoteQuota&) = delete;

  // Null: there is none. After another one came no series has room: Own() those that are there.
  void SetLimit(std::shared_ptr<SeriesLimit> limit);
  const SeriesLimit* limit() const { return limit_.get(); }
  // Whether a series that was over the limit would have room now.
  bool has_room() const { return limit_ == nullptr || limit_->room() > 0; }

  // Of a series of a group that is prepared: whether it is kept. `labels` as they are sent, and
  // encoded (common/wire).
  bool Take(uint64_t target_key, const Labels& labels, std::string_view encoded);
  // All that the group keeps have room, whatever the limit is; or it is gone.
  void Own(const PreparedGroup& group);
  void Release(const PreparedGroup& group);
  void CountDropped(uint64_t samples) { limit_->CountSamples(samples); }
  size_t memory_bytes() const { return series_.bucket_count() * 13 + refused_.bucket_count() * 9; }

 private:
  const EventLoop& loop_;
  const SeriesLimits* const limits_;
  std::shared_ptr<SeriesLimit> limit_;
  // By a hash of the encoded labels: how often they are in groups.
  boost::unordered_flat_map<uint64_t, uint32_t> series_;
  boost::unordered_flat_set<uint64_t> refused_;
};

}  // namespace tributary
