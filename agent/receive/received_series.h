// All series that a worker receives: by source, and found by the hash of how a sender writes their
// labels.
//
// In steady state a series is found without a look-up: as the one that came after the one before
// it last time. Memory: some 26 bytes a line in the index, beside what the sources have. One
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/receive/received_source.h"
#include "common/labels/labels.h"

namespace tributary {

// Which source a series belongs to, in every process the same: its partition of the log follows
// from it, and its worker.
uint64_t SourceKeyOf(std::string_view job, std::string_view instance, std::string_view cluster);

class ReceivedSeries {
 public:
  struct Ref {
    uint32_t source = kNone;
    uint32_t line = 0;
  };
  static constexpr uint32_t kNone = 0xffffffff;

  // The line that mostly comes after this one. A source of kNone: there is none.
  Ref After(Ref before) const {
    if (before.source == kNone) return {};
    const uint32_t next = before.line + 1;
    return next < sources_[before.source]->lines() ? Ref{before.source, next} : Ref{};
  }
  // `expected`: what After gave. A source of kNone: it is not known.
  Ref Find(uint64_t hash, Ref expected) const {
    if (expected.source != kNone && sources_[expected.source]->hash(expected.line) == hash) {
      return expected;
    }
    auto it = index_.find(hash);
    return it == index_.end() ? Ref{} : it->second;
  }
  // A line that is not known, and its series' labels as they are kept.
  Ref Learn(const ReceivedLine& line, const Labels& labels);
  ReceivedSource& source(uint32_t number) { return *sources_[number]; }
  // The owner of the series with these labels; nothing: it is not known.
  std::optional<uint16_t> OwnerOf(const Labels& labels);
  void ForgetOwners();
  // Gives the source's new series their places. Before its batch is taken.
  void Settle(uint32_t number);
  // As if none of the lines had come yet; series and what came last of them stay.
  void ForgetLines();
  // Every kSweepInterval: what has gone is forgotten. Between requests.
  void Sweep(const ReceivedSource::OwnerChange& own);
  static constexpr std::chrono::minutes kSweepInterval{5};

  size_t series() const;
  size_t sources() const { return by_key_.size(); }
  uint64_t series_added() const { return series_added_; }
  size_t memory_bytes() const;

 private:
  struct Identity {  // keys are keyed hashes
    using is_avalanching = void;
    size_t operator()(uint64_t hash) const { return hash; }
  };

  boost::unordered_flat_map<uint64_t, Ref, Identity> index_;  // by hash of the line
  std::vector<std::unique_ptr<ReceivedSource>> sources_;      // null: free
  std::vector<uint32_t> free_;
  boost::unordered_flat_map<uint64_t, uint32_t> by_key_;
  // Of sources that are new: above those of all that are gone, whose samples may still be being
  // sent.
  uint32_t first_generation_ = 1;
  uint64_t series_added_ = 0;
};

}  // namespace tributary
