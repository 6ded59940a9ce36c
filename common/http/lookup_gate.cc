#include "common/http/lookup_gate.h"

#include <arpa/inet.h>

#include <algorithm>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr seconds kKnownFor(50);

bool NeedsLookup(const std::string& host) {
  if (host.empty() || host.front() == '[' || host == "localhost") return false;
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) != 1;
}

}  // namespace

LookupGate::LookupGate(size_t lookups_max)
    : running_max_(std::max<size_t>(lookups_max, 1)),
      running_per_name_max_(std::max<size_t>(lookups_max / 8, 1)) {}

bool LookupGate::Known(const std::string& host, MonotonicTime now) const {
  if (!NeedsLookup(host)) return true;
  const auto name = names_.find(host);
  return name != names_.end() && name->second.known_until > now;
}

bool LookupGate::Enter(const std::string& host) {
  if (running_ >= running_max_) return false;
  Name& name = names_[host];
  if (name.running >= running_per_name_max_) return false;
  name.running++;
  running_++;
  return true;
}

void LookupGate::Leave(const std::string& host, bool resolved, MonotonicTime now) {
  const auto name = names_.find(host);
  CHECK(name != names_.end() && name->second.running > 0);
  name->second.running--;
  running_--;
  if (resolved) name->second.known_until = now + kKnownFor;
  if (names_.size() >= prune_at_) Prune(now);
}

void LookupGate::Prune(MonotonicTime now) {
  std::erase_if(names_, [now](const auto& entry) {
    return entry.second.running == 0 && entry.second.known_until <= now;
  });
  prune_at_ = std::max<size_t>(1024, 2 * names_.size());
}

}  // namespace tributary
