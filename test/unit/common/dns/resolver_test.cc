#include "common/dns/resolver.h"

#include <random>

#include "test/support/catch.h"
#include "test/support/sim/sim_dns.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {
namespace {

using Strings = std::vector<std::string>;

const DnsRecord kRecord = {1, "10.1.1.1", 0};

DnsMessage Code(int rcode) { return {rcode, false, {}}; }
DnsMessage Records(std::vector<DnsRecord> records) { return {0, false, std::move(records)}; }

struct ResolverWorld {
  ResolverWorld() {
    files.WriteFile("/etc/resolv.conf",
                    "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.local b.local\n");
  }
  // "10.1.1.1 10.1.1.2", "" for none, or "error: ..."; "nothing" if it is not done in time.
  std::string Ask(const std::string& name, nanoseconds limit = seconds(60)) {
    std::string text = "nothing";
    resolver.Start(name, DnsType::kA, [&](Result<std::vector<DnsRecord>> records) {
      CHECK(text == "nothing");
      text = records ? "" : "error: " + records.error().message;
      if (!records) return;
      for (const DnsRecord& record : *records) text += (text.empty() ? "" : " ") + record.value;
    });
    CHECK(text == "nothing");
    loop.RunUntil([&] { return text != "nothing"; }, limit);
    return text;
  }
  void Listen(const std::string& server, std::map<std::string, DnsMessage> answers, int otherwise) {
    dns.Listen(server, [answers, otherwise](const DnsQuestion& question) -> Result<DnsMessage> {
      const auto found = answers.find(question.name);
      return found == answers.end() ? Code(otherwise) : found->second;
    });
  }

  SimLoop loop;
  SimFileSystem files;
  SimDns dns;
  SimDnsTransport transport{dns, loop};
  Resolver resolver{loop, files, transport};
};

TEST_CASE("resolver: the first server and the first name that know are enough") {
  ResolverWorld world;
  world.Listen("10.0.0.1", {{"web.a.local.", Records({kRecord, {5, "", 0}})}}, 3);
  CHECK(world.Ask("web") == "10.1.1.1 ");
  CHECK(world.dns.questions() == Strings{"10.0.0.1 web.a.local. 1"});
}

TEST_CASE("resolver: a name that exists without such records ends the search") {
  ResolverWorld world;
  world.Listen("10.0.0.1", {{"web.a.local.", Records({})}, {"web.b.local.", Records({kRecord})}},
               3);
  CHECK(world.Ask("web") == "");
  CHECK(world.dns.questions().size() == 1);
}

TEST_CASE("resolver: a name that exists nowhere has no records, and that is no error") {
  ResolverWorld world;
  world.Listen("10.0.0.1", {}, 3);
  CHECK(world.Ask("web") == "");
  CHECK(world.dns.questions() ==
        Strings{"10.0.0.1 web.a.local. 1", "10.0.0.1 web.b.local. 1", "10.0.0.1 web. 1"});
}

TEST_CASE("resolver: servers that fail are passed over, whatever their way") {
  ResolverWorld world;
  world.Listen("10.0.0.2", {{"web.", Records({kRecord})}}, 3);
  SECTION("silent") {}
  SECTION("server failure") { world.Listen("10.0.0.1", {}, 2); }
  SECTION("refused") { world.Listen("10.0.0.1", {}, 5); }
  SECTION("cut off, even by TCP") {
    world.dns.Listen("10.0.0.1", [](const DnsQuestion&) { return DnsMessage{0, true, {}}; });
  }
  CHECK(world.Ask("web.") == "10.1.1.1");
  CHECK(world.dns.questions() == Strings{"10.0.0.1 web. 1", "10.0.0.2 web. 1"});
}

TEST_CASE("resolver: with an unanswered name in the search nothing is known, unless one is found") {
  ResolverWorld world;
  std::map<std::string, DnsMessage> answers = {{"web.a.local.", Code(2)}};
  world.Listen("10.0.0.1", answers, 3);
  world.Listen("10.0.0.2", answers, 3);
  CHECK(world.Ask("web") ==
        "error: cannot resolve \"web\": server 10.0.0.2, asked for web.a.local.: answers code 2");
  CHECK(world.dns.questions().size() == 4);
  answers["web.b.local."] = Records({kRecord});
  world.Listen("10.0.0.1", answers, 3);
  CHECK(world.Ask("web") == "10.1.1.1");
}

TEST_CASE("resolver: resolv.conf is read for each look-up, and its lack is an error") {
  ResolverWorld world;
  world.Listen("10.0.0.3", {{"web.", Records({kRecord})}}, 3);
  world.files.WriteFile("/etc/resolv.conf", "nameserver 10.0.0.3");
  CHECK(world.Ask("web") == "10.1.1.1");
  world.files.WriteFile("/etc/resolv.conf", "search x");
  CHECK(world.Ask("web") == "error: /etc/resolv.conf names no server");
  world.files.Remove("/etc/resolv.conf");
  CHECK(world.Ask("web").starts_with("error: /etc/resolv.conf"));
}

TEST_CASE("resolver: a bounded number of look-ups is under way, and all have their turn") {
  ResolverWorld world;
  world.Listen("10.0.0.1", {}, 3);
  size_t done = 0;
  const size_t kCount = 3 * Resolver::kLookupsMax;
  std::vector<LookupId> ids;
  for (size_t i = 0; i < kCount; i++) {
    ids.push_back(world.resolver.Start("n" + std::to_string(i) + ".", DnsType::kA,
                                       [&](const auto&) { done++; }));
  }
  world.loop.RunDue();
  CHECK(world.transport.in_flight() == Resolver::kLookupsMax);
  // One under way and one that waits.
  world.resolver.Cancel(ids.front());
  world.resolver.Cancel(ids.back());
  world.resolver.Cancel(0);
  world.loop.RunFor(seconds(1));
  CHECK(done == kCount - 2);
  CHECK(world.transport.in_flight() == 0);
  CHECK(world.Ask("again.") == "");
}

TEST_CASE("resolver: look-ups may be started and cancelled from the end of others") {
  ResolverWorld world;
  world.Listen("10.0.0.1", {}, 3);
  int done = 0;
  LookupId other = world.resolver.Start("other.", DnsType::kA, [&](const auto&) { done += 100; });
  // Begins after it, ends before: the other has a search to go through.
  world.resolver.Start("one.", DnsType::kA, [&](const auto&) {
    done++;
    world.resolver.Cancel(other);
    world.resolver.Start("two.", DnsType::kA, [&](const auto&) { done++; });
  });
  world.dns.Listen("10.0.0.1", [](const DnsQuestion& question) -> Result<DnsMessage> {
    if (question.name == "other.") return Fail("no");
    return Code(3);
  });
  world.loop.RunFor(seconds(10));
  CHECK(done == 2);
}

TEST_CASE("resolver: nothing is called after its end") {
  SimLoop loop;
  SimFileSystem files;
  files.WriteFile("/etc/resolv.conf", "nameserver 10.0.0.1\n");
  SimDns dns;
  SimDnsTransport transport(dns, loop);
  {
    Resolver resolver(loop, files, transport);
    resolver.Start("web", DnsType::kA, [](const auto&) { FAIL("called"); });
    loop.RunDue();
    CHECK(transport.in_flight() == 1);
    resolver.Start("web", DnsType::kA, [](const auto&) { FAIL("called"); });
  }
  CHECK(transport.in_flight() == 0);
  loop.RunFor(seconds(10));
}

// The rules of lookupWithSearchPath, said once more and plainly.
TEST_CASE("resolver: whatever servers answer, the outcome is the one of the rules") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; round++) {
    ResolverWorld world;
    std::map<std::string, std::map<std::string, DnsMessage>> script;
    for (const char* server : {"10.0.0.1", "10.0.0.2"}) {
      for (const char* name : {"web.a.local.", "web.b.local.", "web."}) {
        const int codes[] = {0, 2, 3, 3, 5};
        DnsMessage message = Code(codes[random() % 5]);
        if (message.rcode == 0 && random() % 2 == 0) message.answers = {kRecord};
        script[server][name] = message;
      }
      world.Listen(server, script[server], 3);
    }
    std::string expected;
    for (const char* name : {"web.a.local.", "web.b.local.", "web."}) {
      const DnsMessage* viable = nullptr;
      for (const char* server : {"10.0.0.1", "10.0.0.2"}) {
        const DnsMessage& message = script[server][name];
        if (viable == nullptr && (message.rcode == 0 || message.rcode == 3)) viable = &message;
      }
      if (viable != nullptr && viable->rcode == 0) {
        expected = viable->answers.empty() ? "" : "10.1.1.1";
        break;
      }
      if (viable == nullptr) expected = "error";
    }
    const std::string found = world.Ask("web");
    CHECK((found.starts_with("error") ? "error" : found) == expected);
  }
}

}  // namespace
}  // namespace tributary
