#include "agent/telemetry/status.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

RemoteStatus Remote(const std::string& name, uint64_t samples, TimestampMs error_ms,
                    const std::string& error) {
  RemoteStatus remote;
  remote.name = name;
  remote.shards_max = 3;
  remote.positions = {{samples, samples, samples}};
  remote.sent = {samples, 0, 1};
  remote.backlog_seconds = static_cast<double>(samples);
  remote.last_error_ms = error_ms;
  remote.last_error = error;
  remote.dropped = {{"too_old", {samples, 0, 0}}, {"refused", {0, 0, 2}}};
  return remote;
}

TEST_CASE("status: of workers' parts one is made") {
  RemoteWriteStatus sum, part;
  sum.remotes = {Remote("a", 5, 100, "older")};
  sum.log.disk_bytes = 7;
  part.remotes = {Remote("b", 1, 0, ""), Remote("a", 3, 200, "newer")};
  part.log.disk_bytes = 8;
  part.log.disk_failing = true;
  part.log.last_disk_error = "no room";
  Add(sum, part);
  REQUIRE(sum.remotes.size() == 2);
  const RemoteStatus& a = sum.remotes[0];
  CHECK(a.shards_max == 6);
  CHECK(a.positions.size() == 2);
  CHECK(a.sent.samples == 8);
  CHECK(a.sent.exemplars == 2);
  CHECK(a.backlog_seconds == 5);  // the oldest is as old as it is
  CHECK(a.last_error == "newer");
  CHECK(a.dropped[0].second.samples == 8);
  CHECK(a.dropped[1].second.exemplars == 4);
  CHECK(sum.remotes[1].name == "b");
  CHECK(sum.log.disk_bytes == 15);
  CHECK(sum.log.disk_failing);
  CHECK(sum.log.last_disk_error == "no room");
}

}  // namespace
}  // namespace tributary
