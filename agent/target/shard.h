// Scraping shared among several agents that have the same configuration: which of the targets are
// this one's.
//
// By rendezvous hashing (common/base/rendezvous.h): another member takes its part of everybody's
// targets, and no target moves between the others. Pure arithmetic; the same on every machine and
// in every version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace tributary {

struct Shard {
  uint32_t member = 0, members = 1;
  uint32_t replicas = 1;  // that scrape each target; at most `members`

  bool is_whole() const { return replicas == members; }
  // `target`: the hash of its labels, so that one which takes the place of another at another URL
  // has the same members.
  bool Has(uint64_t target) const;
};

inline constexpr uint32_t kShardMembersMax = 10'000;

// `text`: MEMBER/MEMBERS, members counted from 0; or hostname/MEMBERS, where the number at the end
// of `hostname` is the member, as a StatefulSet's pods have it ("agent-2"). The error says what is
// wrong with it.
Result<Shard> ParseShard(std::string_view text, uint32_t replicas, std::string_view hostname);

}  // namespace tributary
