// One entry of dns_sd_configs: looks names up and makes a target of each record. Follows
// prometheus/prometheus discovery/dns/dns.go (3.16).
//
// A name that cannot be looked up keeps its last good records and is counted; one that does not
// exist, or has no such records any more, loses them. What fails is told when it is new, not at
// each refresh. Control loop only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/discovery/provider.h"
#include "agent/discovery/refresher.h"
#include "common/base/status.h"

namespace tributary {

class DnsProvider : public Provider {
 public:
  DnsProvider(SdEnvironment& environment, DnsSdConfig config, const std::string& job,
              std::function<void()> changed);
  ~DnsProvider() override;

  // The records of the same names, of one with the same type and port.
  void Adopt(const Provider& predecessor) override;
  void Start() override { refresher_.Start(); }
  // With the records of all names, or after a refresh.
  bool settled() const override;
  void AppendErrors(std::vector<std::string>& errors) const override;
  void AppendGroups(std::vector<TargetGroup>& groups) const override;
  void Collect(MetricSink& sink) const override { refresher_.Collect(sink); }

 private:
  struct Name {
    bool has_groups = false;          // from an answer, which may have been empty
    std::vector<TargetGroup> groups;  // of one target each, sorted
    std::string problem;              // of the last try; empty: it went well
    LookupId lookup = 0;
  };

  void LookUpAll();
  void Answered(const std::string& name, Name& state, Result<std::vector<DnsRecord>> records);
  std::vector<TargetGroup> MakeGroups(const std::string& name,
                                      const std::vector<DnsRecord>& records,
                                      std::string& problem) const;
  void EndRefresh();

  SdEnvironment& environment_;
  const DnsSdConfig config_;
  const std::function<void()> changed_;
  std::map<std::string, Name> names_;
  size_t under_way_ = 0;
  bool dirty_ = false;  // a name of the refresh under way has other groups than before
  Refresher refresher_;
};

}  // namespace tributary
