// Rendezvous hashing (Thaler and Ravishankar, 1998): of all members those that draw the highest
// numbers for a key have it. So another member takes its part of everybody's keys, and no key moves
// between the others. Pure arithmetic; the same on every machine and in every version.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/hash.h"

namespace tributary {

inline uint64_t RendezvousDraw(uint64_t key, uint64_t member) {
  const uint64_t pair[2] = {key, member};
  return StableHash({reinterpret_cast<const char*>(pair), sizeof pair});
}

// Whether the member with number `own` is one of the `replicas` that have the key. id_of(number) is
// what a member is known by, of numbers below `members`. Some 5 ns a member.
template <typename IdOf>
bool HasByRendezvous(uint64_t key, uint32_t own, uint32_t members, uint32_t replicas, IdOf id_of) {
  if (replicas >= members) return true;
  const uint64_t drawn = RendezvousDraw(key, id_of(own));
  uint32_t before = 0;
  for (uint32_t other = 0; other < members && before < replicas; other++) {
    if (other == own) continue;
    const uint64_t draw = RendezvousDraw(key, id_of(other));
    // Of equal numbers, which 64 bits hardly make, the lower member's counts as the higher.
    if (draw > drawn || (draw == drawn && other < own)) before++;
  }
  return before < replicas;
}

}  // namespace tributary
