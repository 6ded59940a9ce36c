// Which of the series a remote gets that shares them with others, by rendezvous hashing
// (common/base/rendezvous.h).
//
// Decided by labels as they are in the log: before external labels and write_relabel_configs, which
// may be others at each member, and on which members thus need not agree. A member is known by the
// identity of its entry. Immutable; pure; the same in every process and version.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/labels/labels.h"

namespace tributary {

class SeriesShare {
 public:
  // `identity`: of the remote whose share it is, one of config.members.
  SeriesShare(const RemoteShareConfig& config, const std::string& identity);

  bool Has(const Labels& labels) const;
  bool operator==(const SeriesShare&) const = default;

 private:
  uint64_t KeyOf(const Labels& labels) const;

  std::vector<std::string> labels_, ignored_;  // sorted
  std::vector<uint64_t> members_;              // sorted
  uint32_t own_;                               // its place among them
  uint32_t replicas_;
};

}  // namespace tributary
