// Bounds the name look-ups that run at a time, over all names and for each.
//
// A name that was resolved within the last 50 seconds (libcurl keeps answers for 60) passes at
// once, as do literal addresses and localhost. Not thread-safe; no times of its own.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "common/base/time.h"

namespace tributary {

class LookupGate {
 public:
  explicit LookupGate(size_t lookups_max);

  // Whether a connection to the host needs no look-up.
  bool Known(const std::string& host, MonotonicTime now) const;
  // Takes a place for a look-up of the host, if one is free.
  bool Enter(const std::string& host);
  // Gives it back; `resolved` when the name has an address.
  void Leave(const std::string& host, bool resolved, MonotonicTime now);
  size_t running() const { return running_; }

 private:
  struct Name {
    size_t running = 0;
    MonotonicTime known_until{};
  };

  void Prune(MonotonicTime now);

  const size_t running_max_;
  const size_t running_per_name_max_;
  size_t running_ = 0;
  size_t prune_at_ = 1024;
  std::unordered_map<std::string, Name> names_;
};

}  // namespace tributary
