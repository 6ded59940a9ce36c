#include "agent/discovery/dns_provider.h"

#include "test/support/catch.h"
#include "test/unit/agent/discovery/discovery_world.h"

namespace tributary {
namespace {

constexpr uint16_t kA = 1, kNs = 2, kCname = 5, kMx = 15, kTxt = 16, kAaaa = 28, kSrv = 33;
const std::string kLookups = "prometheus_sd_dns_lookups_total";
const std::string kLookupFailures = "prometheus_sd_dns_lookup_failures_total";

struct DnsSdWorld : DiscoveryWorld {
  DnsSdWorld() {
    files.WriteFile("/etc/resolv.conf", "nameserver 10.0.0.1\n");
    dns.Listen("10.0.0.1", [this](const DnsQuestion& question) -> Result<DnsMessage> {
      asked.push_back(question);
      if (failing.contains(question.name)) return Fail("no answer in time");
      const auto found = records.find(question.name);
      if (found == records.end()) return DnsMessage{kDnsNameError, false, {}};
      return DnsMessage{kDnsNoError, false, found->second};
    });
  }
  static ScrapeConfig Job(std::vector<std::string> names, DnsSdType type = DnsSdType::kSrv,
                          int64_t port = 0) {
    ScrapeConfig job;
    job.job_name = "j";
    job.dns_sd_configs = {{std::move(names), seconds(10), type, port}};
    return job;
  }
  // All groups: "a:1{...labels...}", one a line.
  std::string Groups() {
    std::string text;
    for (const TargetGroup& group : discovery.Groups("j")) {
      CHECK(group.targets.size() == 1);
      text += (text.empty() ? "" : "\n") + group.targets[0] + group.labels.ToString();
    }
    return text;
  }
  std::map<std::string, std::vector<DnsRecord>> records;  // by name
  std::set<std::string> failing;
  std::vector<DnsQuestion> asked;
};

TEST_CASE("dns_sd: SRV records have host and port of their own") {
  DnsSdWorld world;
  world.records["srv.local."] = {{kSrv, "b.local.", 9101}, {kSrv, "a.local.", 9100}};
  world.Apply({DnsSdWorld::Job({"srv.local"})});
  world.Run(seconds(1));
  CHECK(world.Groups() ==
        "a.local:9100{__meta_dns_name=\"srv.local\", __meta_dns_srv_record_port=\"9100\", "
        "__meta_dns_srv_record_target=\"a.local.\"}\n"
        "b.local:9101{__meta_dns_name=\"srv.local\", __meta_dns_srv_record_port=\"9101\", "
        "__meta_dns_srv_record_target=\"b.local.\"}");
  CHECK(world.groups["j"][0].source == "srv.local");
  REQUIRE(world.asked.size() == 1);
  CHECK(world.asked[0].type == DnsType::kSrv);
}

TEST_CASE("dns_sd: other types have the port of the entry, and aliases are no targets") {
  DnsSdWorld world;
  const auto groups = [&](DnsSdType type, std::vector<DnsRecord> records) {
    world.records["n.local."] = std::move(records);
    world.Apply({DnsSdWorld::Job({"n.local"}, type, 80)});
    world.Run(seconds(5));
    return world.Groups();
  };
  CHECK(groups(DnsSdType::kA, {{kCname, "", 0}, {kA, "10.1.1.2", 0}, {kA, "10.1.1.1", 0}}) ==
        "10.1.1.1:80{__meta_dns_name=\"n.local\"}\n10.1.1.2:80{__meta_dns_name=\"n.local\"}");
  CHECK(world.asked.back().type == DnsType::kA);
  CHECK(groups(DnsSdType::kAaaa, {{kAaaa, "fd00::1", 0}, {kAaaa, "10.1.1.1", 0}}) ==
        "10.1.1.1:80{__meta_dns_name=\"n.local\"}\n[fd00::1]:80{__meta_dns_name=\"n.local\"}");
  CHECK(world.asked.back().type == DnsType::kAaaa);
  CHECK(groups(DnsSdType::kMx, {{kMx, "mail.local.", 0}}) ==
        "mail.local:80{__meta_dns_mx_record_target=\"mail.local.\", __meta_dns_name=\"n.local\"}");
  CHECK(world.asked.back().type == DnsType::kMx);
  CHECK(groups(DnsSdType::kNs, {{kNs, "ns.local.", 0}}) ==
        "ns.local:80{__meta_dns_name=\"n.local\", __meta_dns_ns_record_target=\"ns.local.\"}");
  CHECK(world.asked.back().type == DnsType::kNs);
  CHECK(world.warnings.empty());
  // A record that makes no target is told, once, and hurts no other.
  CHECK(groups(DnsSdType::kA, {{kTxt, "", 0}, {kA, "10.1.1.1", 0}}) ==
        "10.1.1.1:80{__meta_dns_name=\"n.local\"}");
  world.Run(seconds(30));
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0] == "dns_sd: a record of \"n.local\" has type 16 and makes no target");
}

TEST_CASE("dns_sd: a name that cannot be looked up keeps its targets, the others change") {
  DnsSdWorld world;
  world.records["a."] = {{kA, "10.0.0.1", 0}};
  world.records["b."] = {{kA, "10.0.1.1", 0}};
  world.Apply({DnsSdWorld::Job({"a", "b"}, DnsSdType::kA, 80)});
  world.Run(seconds(5));
  CHECK(world.Updates() == "j: \nj: 10.0.0.1:80 10.0.1.1:80");
  CHECK(world.Metric(kLookups) == 2);

  world.failing.insert("a.");
  world.records["b."] = {{kA, "10.0.1.2", 0}};
  world.Run(seconds(30));
  CHECK(world.Updates() == "j: 10.0.0.1:80 10.0.1.2:80");
  CHECK(world.Metric(kLookups) == 8);
  CHECK(world.Metric(kLookupFailures) == 3);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0] ==
        "dns_sd: cannot resolve \"a\": server 10.0.0.1, asked for a.: no answer in time "
        "(its last good targets are kept)");
  // As in Prometheus, names that fail do not fail the refresh.
  CHECK(world.Metric("prometheus_sd_refresh_failures_total mechanism=dns config=j") == 0);
  CHECK(world.Metric("prometheus_sd_refresh_duration_seconds mechanism=dns config=j") == 4);

  // One that does not exist any more is another matter.
  world.failing.clear();
  world.records.erase("a.");
  world.Run(seconds(15));
  CHECK(world.Updates() == "j: 10.0.1.2:80");
}

TEST_CASE("dns_sd: records that only change their order change nothing") {
  DnsSdWorld world;
  world.records["a."] = {{kA, "10.0.0.1", 0}, {kA, "10.0.0.2", 0}, {kA, "10.0.0.3", 0}};
  world.Apply({DnsSdWorld::Job({"a"}, DnsSdType::kA, 80)});
  world.Run(seconds(5));
  world.Updates();
  for (int i = 0; i < 6; i++) {
    std::next_permutation(world.records["a."].begin(), world.records["a."].end(),
                          [](const auto& a, const auto& b) { return a.value < b.value; });
    world.Run(seconds(10));
  }
  CHECK(world.Updates() == "");
}

TEST_CASE(
    "dns_sd: a reload keeps the targets of names that stay, though they cannot be asked for") {
  DnsSdWorld world;
  world.records["a."] = {{kA, "10.0.0.1", 0}};
  world.records["b."] = {{kA, "10.0.1.1", 0}};
  world.Apply({DnsSdWorld::Job({"a", "b"}, DnsSdType::kA, 80)});
  world.Run(seconds(5));
  world.Updates();
  world.failing = {"a.", "b.", "c."};
  world.Apply({DnsSdWorld::Job({"a", "c"}, DnsSdType::kA, 80)});
  world.Run(seconds(30));
  CHECK(world.Updates() == "j: 10.0.0.1:80");
  // With another port they are other targets.
  world.Apply({DnsSdWorld::Job({"a", "c"}, DnsSdType::kA, 81)});
  world.Run(seconds(30));
  CHECK(world.Updates() == "j: ");
}

TEST_CASE("dns_sd: what is gone asks no more, also with look-ups under way") {
  DnsSdWorld world;
  world.dns.Listen("10.0.0.1", nullptr);
  world.Apply({DnsSdWorld::Job({"a", "b"})});
  CHECK(world.dns_transport.in_flight() == 2);
  world.Apply({});
  CHECK(world.dns_transport.in_flight() == 0);
  CHECK(world.loop.pending() == 0);
}

}  // namespace
}  // namespace tributary
