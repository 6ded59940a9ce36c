// The limit on the series of each sender of remote write: how many are whose.
//
// A series is its sender's who brought it first, for as long as it is received from anybody. A
// sender is a user of --web.config.file, else an address. Their room is the process', shared by all
// workers; who brought what each worker knows of its own series, by the sender's number.
//
// Bounds: kSendersMax senders, those beyond share a number; kRefusedMax lines that were refused
// lately, so that their labels are not read each time. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "agent/limits/series_limits.h"

namespace tributary {

class SenderQuotas {
 public:
  static constexpr uint16_t kNobody = 0;
  static constexpr size_t kSendersMax = 10'000;
  static constexpr size_t kRefusedMax = 100'000;

  // Null: there never is a limit.
  explicit SenderQuotas(SeriesLimits* limits) : limits_(limits) {}
  ~SenderQuotas() { Clear(); }
  SenderQuotas(const SenderQuotas&) = delete;
  SenderQuotas& operator=(const SenderQuotas&) = delete;

  // 0: there is none. After a change from or to none nobody owns anything.
  void SetLimit(uint64_t limit);
  bool is_limited() const { return all_ != nullptr; }
  uint64_t limit() const { return all_ == nullptr ? 0 : all_->limit(); }

  // The following only where there is a limit.

  // From 1 on, until there is no limit.
  uint16_t NumberOf(const std::string& sender);
  // Whether the line, hashed, was refused lately, and its sender still has no room.
  bool IsRefused(uint16_t sender, uint64_t line) const;
  // Takes room for a series that is new. False: there is none, which has been noted.
  bool Admit(uint16_t sender, uint64_t line, const Labels& series, TimestampMs now);
  // One that is there already is the sender's, or is no longer.
  void Own(uint16_t sender);
  void Release(uint16_t sender);
  void CountDropped(uint64_t samples) { all_->CountSamples(samples); }
  // In each interval of sweeps lines are refused anew.
  void Sweep() { refused_.clear(); }

 private:
  struct Sender {
    std::string name;
    std::shared_ptr<SeriesLimit> room;
    uint64_t series = 0;  // of this worker
  };

  void Clear();
  SeriesLimit& RoomOf(uint16_t sender) const;

  SeriesLimits* const limits_;
  std::shared_ptr<SeriesLimit> all_;  // the limit, and what was over it; null: none
  std::vector<Sender> senders_;       // by number less one
  boost::unordered_flat_map<std::string, uint16_t> numbers_;
  boost::unordered_flat_set<uint64_t> refused_;
};

}  // namespace tributary
