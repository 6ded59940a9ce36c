#include "agent/receive/replica_election.h"

#include "agent/receive/replica_file.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/support/sim/sim_work_queue.h"
#include "test/unit/agent/receive/receive_rig.h"

namespace tributary {
namespace {

SentSample Of(const std::string& cluster, const std::string& replica, double value,
              TimestampMs timestamp, const std::string& replica_label = "__replica__") {
  std::vector<Label> labels{{"__name__", "m"}, {"job", "j"}};
  if (!replica.empty()) labels.push_back({replica_label, replica});
  if (!cluster.empty()) labels.push_back({"cluster", cluster});
  return {labels, value, timestamp};
}

TEST_CASE("replicas: of those of a cluster one is elected, its label is taken away") {
  SimLoop loop;
  ReceiveRig rig(loop);
  for (int scrape = 0; scrape < 5; scrape++) {
    for (const char* replica : {"a", "b"}) {
      for (const char* cluster : {"one", "two"}) {
        const WriteAnswer answer =
            rig.Send(V2Request({Of(cluster, replica, replica[0], rig.now())}));
        CHECK(answer.status == 204);
        // As good as written: the sender is not to count it as lost.
        CHECK(answer.written.samples == 1);
      }
    }
    loop.RunFor(seconds(15));
  }
  const auto logged = rig.TakeLogged();
  CHECK(logged.size() == 10);
  for (const LoggedSample& sample : logged) {
    CHECK(sample.value == 'a');
    CHECK(!sample.labels.Has("__replica__"));
    CHECK(sample.labels.Has("cluster"));
  }
  CHECK(rig.receiver.stats().deduplicated.samples == 10);
  CHECK(rig.receiver.intake().series().series() == 2);
}

TEST_CASE("replicas: another one is elected when nothing has come for the failover time") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const auto taken = [&](const char* replica) {
    rig.Send(V1Request({Of("c", replica, 1, rig.now())}));
    return !rig.TakeLogged().empty();
  };
  CHECK(taken("a"));
  loop.RunFor(seconds(20));
  CHECK(!taken("b"));
  CHECK(taken("a"));
  loop.RunFor(milliseconds(29'900));
  CHECK(!taken("b"));
  loop.RunFor(milliseconds(200));
  CHECK(taken("b"));
  loop.RunFor(seconds(1));
  // The old one is back, and has to wait in its turn.
  CHECK(!taken("a"));
  CHECK(taken("b"));
}

TEST_CASE("replicas: without a cluster or a replica, or when it is not wanted, all are kept") {
  SimLoop loop;
  ReceiveRig rig(loop);
  SECTION("no cluster") {
    rig.Send(V1Request({Of("", "a", 1, rig.now())}));
    rig.Send(V1Request({Of("", "b", 1, rig.now())}));
    CHECK(rig.TakeLogged().size() == 2);
  }
  SECTION("no replica") {
    rig.Send(V1Request({Of("c", "", 1, rig.now())}));
    CHECK(rig.TakeLogged().size() == 1);
  }
  SECTION("not wanted") {
    rig.config.receive.replica_label = "";
    rig.Apply();
    rig.Send(V1Request({Of("c", "a", 1, rig.now())}));
    rig.Send(V1Request({Of("c", "b", 1, rig.now())}));
    const auto logged = rig.TakeLogged();
    REQUIRE(logged.size() == 2);
    CHECK(logged[0].labels.Get("__replica__") == "a");
  }
}

TEST_CASE("replicas: other names of the labels count from the reload on") {
  SimLoop loop;
  ReceiveRig rig(loop);
  rig.Send(V1Request({Of("c", "a", 1, rig.now(), "replica")}));
  CHECK(rig.TakeLogged()[0].labels.Has("replica"));
  rig.config.receive.replica_label = "replica";
  rig.Apply();
  loop.RunFor(seconds(1));
  rig.Send(V1Request({Of("c", "a", 1, rig.now(), "replica")}));
  rig.Send(V1Request({Of("c", "b", 1, rig.now(), "replica")}));
  const auto logged = rig.TakeLogged();
  REQUIRE(logged.size() == 1);
  CHECK(!logged[0].labels.Has("replica"));
}

TEST_CASE("replicas: who was elected before a restart has the failover time to come back") {
  const MonotonicTime now{seconds(1000)};
  ReplicaElection before;
  int changes = 0;
  before.SetOnChange([&] { changes++; });
  CHECK(before.Admit("c", "b", now, 5, seconds(30)));
  CHECK(before.Admit("c", "b", now, 5, seconds(30)));
  CHECK(changes == 1);
  ReplicaElection after;
  after.Restore(before.All(), now);
  CHECK(!after.Admit("c", "a", now + seconds(30), 6, seconds(30)));
  CHECK(after.Admit("c", "a", now + seconds(31), 7, seconds(30)));
  CHECK(after.All()[0].replica == "a");
  CHECK(after.All()[0].since_ms == 7);
}

TEST_CASE("replicas: beyond so many clusters all is kept") {
  ReplicaElection election;
  const MonotonicTime now{};
  for (size_t i = 0; i < ReplicaElection::kClustersMax; i++) {
    REQUIRE(election.Admit(std::to_string(i), "a", now, 1, seconds(30)));
  }
  CHECK(election.Admit("more", "a", now, 1, seconds(30)));
  CHECK(election.Admit("more", "b", now, 1, seconds(30)));
  CHECK(!election.Admit("5", "b", now, 1, seconds(30)));
}

TEST_CASE("replica file: what is written is read, and nothing else") {
  const std::vector<ReplicaElection::Elected> elected{{"a \"quoted\"\n", "r1", 5}, {"", "r2", 6}};
  const auto read = ParseReplicaFile(ReplicaFileText(elected));
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK((*read)[0].cluster == elected[0].cluster);
  CHECK((*read)[0].since_ms == 5);
  CHECK((*read)[1].replica == "r2");
  for (const char* text :
       {"", "{}", "[]", R"({"version": 2, "elected": []})",
        R"({"version": 1, "elected": [{"cluster": 1}]})",
        R"({"version": 1, "elected": [{"cluster":"","replica":"","since_ms":1}]})"}) {
    CHECK(!ParseReplicaFile(text));
  }
}

TEST_CASE("replica file: it has the last state, however often that changes while it is written") {
  SimLoop loop;
  SimDisk disk{1};
  SimWorkQueue work(loop);
  ReplicaElection election;
  ReplicaFile file(disk, work, election, "/replicas.json");
  election.SetOnChange([&] { loop.Post([&] { file.Save(); }); });
  for (int i = 0; i < 5; i++) election.Admit(std::to_string(i), "a", {}, 1, seconds(30));
  loop.RunFor(seconds(1));
  REQUIRE(disk.Content("/replicas.json") != nullptr);
  const auto read = ParseReplicaFile(*disk.Content("/replicas.json"));
  REQUIRE(read);
  CHECK(read->size() == 5);
  CHECK(file.failures() == 0);
  disk.Fail(SimDisk::kWrite, "No space left on device");
  election.Admit("more", "a", {}, 1, seconds(30));
  loop.RunFor(seconds(1));
  CHECK(file.failures() == 1);
  CHECK(ParseReplicaFile(*disk.Content("/replicas.json"))->size() == 5);
  disk.Fail(0, "");
  election.Admit("one more", "a", {}, 1, seconds(30));
  loop.RunFor(seconds(1));
  CHECK(ParseReplicaFile(*disk.Content("/replicas.json"))->size() == 7);
}

}  // namespace
}  // namespace tributary
