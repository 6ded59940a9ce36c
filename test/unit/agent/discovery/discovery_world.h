// A discovery on virtual time: with files, web servers and DNS servers of the test's own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/discovery/discovery.h"
#include "test/support/sim/sim_dns.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

// "a:1 b:1{x=y}": all targets with their group's plain labels, in the order given.
std::string TargetsText(const std::vector<TargetGroup>& groups);

struct DiscoveryWorld {
  DiscoveryWorld();

  void Apply(std::vector<ScrapeConfig> jobs);
  void Run(nanoseconds time) { loop.RunFor(time); }
  // Updates since the last call, one a line: "job: a:1 b:1".
  std::string Updates();
  // What fails now, one a line: "job: error".
  std::string Errors() const;
  // Of "name label=value ..."; -1: not there. A histogram's or a summary's is its count.
  double Metric(const std::string& name) const;

  SimLoop loop;
  SimFileSystem files;
  SimNetwork network;
  SimTransport http{network, loop, "agent"};
  SimDns dns;
  SimDnsTransport dns_transport{dns, loop};
  std::map<std::string, std::string> environment;
  std::vector<std::string> updates;
  std::map<std::string, std::vector<TargetGroup>> groups;  // as last told
  std::vector<std::string> warnings;
  Discovery discovery;
};

}  // namespace tributary
