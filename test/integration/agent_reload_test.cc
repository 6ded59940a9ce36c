// New configurations for a running agent: applied whole or not at all.
#include <signal.h>

#include <cstdio>

#include <fmt/format.h>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

ScriptedReply Page(std::string text) {
  return ScriptedReply::Text(200, std::move(text), {{"Content-Type", "text/plain; version=0.0.4"}});
}

struct ReloadWorld {
  RawServer target{[](const ServedRequest&) { return Page("m 1\n"); }};
  RemoteReceiver receiver;
  AgentProcess agent{Config("one"), {{"--web.enable-lifecycle"}, {}}};

  std::string Config(const std::string& job) const {
    return fmt::format(R"(global: {{scrape_interval: 200ms}}
scrape_configs: [{{job_name: {}, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]
remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: 100ms}}}}]
)",
                       job, target.port(), receiver.Url());
  }
  bool Delivers(const std::string& job) const {
    const Labels labels{{"__name__", "m"}, {"job", job}};
    const size_t before = receiver.AcceptedOf(labels).size();
    return Eventually(seconds(8), [&] { return receiver.AcceptedOf(labels).size() > before; });
  }
  double reload_successful() const {
    return agent.Metric("prometheus_config_last_reload_successful");
  }
};

TEST_CASE("agent reload: a good file comes into force, by signal and by HTTP") {
  ReloadWorld world;
  REQUIRE(world.Delivers("one"));
  world.agent.WriteConfig(world.Config("two"));
  SECTION("SIGHUP") { world.agent.process().Signal(SIGHUP); }
  SECTION("POST") { CHECK(world.agent.Post("/-/reload").status == 200); }
  SECTION("PUT") { CHECK(HttpAsk(world.agent.port(), "PUT", "/-/reload").status == 200); }
  CHECK(world.Delivers("two"));
  CHECK(world.agent.TargetOf("one").is_null());
  CHECK(world.reload_successful() == 1);
  CHECK(world.agent.Api("/api/v1/status/config")
            .at("yaml")
            .get<std::string>()
            .find("job_name: two") != std::string::npos);
}

TEST_CASE("agent reload: of a bad file nothing is applied, and it is told everywhere") {
  ReloadWorld world;
  REQUIRE(world.Delivers("one"));
  const double before =
      world.agent.Metric("prometheus_config_last_reload_success_timestamp_seconds");
  world.agent.WriteConfig(world.Config("two") + "no_such_key: hidden1\n");
  SECTION("SIGHUP") {
    world.agent.process().Signal(SIGHUP);
    CHECK(world.agent.process().WaitForLine({"level=error", "refused", "no_such_key"}, seconds(8)));
  }
  SECTION("POST") {
    const HttpReply reply = world.agent.Post("/-/reload");
    CHECK(reply.status == 500);
    CHECK(reply.body.find("failed to reload config") != std::string::npos);
    CHECK(reply.body.find("agent.yml:4:1: error: unknown field 'no_such_key'") !=
          std::string::npos);
  }
  CHECK(world.reload_successful() == 0);
  CHECK(world.agent.Metric("prometheus_config_last_reload_success_timestamp_seconds") == before);
  CHECK(world.agent.Api("/api/v1/status/runtimeinfo").at("reloadConfigSuccess") == false);
  CHECK(world.Delivers("one"));
  CHECK(world.agent.TargetOf("two").is_null());
  CHECK(world.agent.process().Err().find("hidden1") == std::string::npos);
  // And the next good one is taken.
  world.agent.WriteConfig(world.Config("three"));
  CHECK(world.agent.Post("/-/reload").status == 200);
  CHECK(world.reload_successful() == 1);
  CHECK(world.Delivers("three"));
}

TEST_CASE("agent reload: a file that is gone is a refusal") {
  ReloadWorld world;
  std::remove((world.agent.folder() / "agent.yml").c_str());
  const HttpReply reply = world.agent.Post("/-/reload");
  CHECK(reply.status == 500);
  CHECK(reply.body.find("No such file") != std::string::npos);
  CHECK(world.Delivers("one"));
}

TEST_CASE("agent reload: a storm of reloads disturbs no job that stays as it is") {
  ReloadWorld world;
  REQUIRE(world.Delivers("one"));
  for (int i = 0; i < 100; i++) {
    // The remote changes each time, the job does not.
    std::string config = world.Config("one");
    config.insert(config.rfind("}]"), fmt::format(", headers: {{X-Number: '{}'}}", i));
    world.agent.WriteConfig(config);
    if (i % 2 == 0) {
      world.agent.process().Signal(SIGHUP);
    } else {
      CHECK(world.agent.Post("/-/reload").status == 200);
    }
  }
  CHECK(world.Delivers("one"));
  const auto samples = world.receiver.AcceptedOf({{"__name__", "up"}, {"job", "one"}});
  for (size_t i = 1; i < samples.size(); i++) {
    CHECK(samples[i].value == 1);
    CHECK(samples[i].timestamp > samples[i - 1].timestamp);
    CHECK(samples[i].timestamp - samples[i - 1].timestamp < 1000);
  }
}

}  // namespace
}  // namespace tributary
