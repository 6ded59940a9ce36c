#include "agent/control/agent.h"

#include <functional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/control/fetched_config.h"
#include "agent/telemetry/metric_page.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_dns.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/write_request.h"

namespace tributary {
namespace {

constexpr char kFile[] = "/etc/agent.yml";

// An agent of two workers, eight targets and one receiver.
struct ControlWorld {
  explicit ControlWorld(nanoseconds auto_reload = nanoseconds(0),
                        std::function<std::vector<std::string>()> node_addresses = nullptr,
                        Shard shard = {})
      : agent({loop, files, transport, dns}, logger, {{&loop, &one}, {&loop, &two}},
              {kFile, "host", {}, auto_reload, std::move(node_addresses), shard}) {
    for (int i = 0; i < 8; i++) {
      network.Listen(fmt::format("t{}.test:80", i), [this](const ServedRequest&) {
        scrapes++;
        return ScriptedReply::Text(200, "m 1\n", {{"Content-Type", "text/plain"}});
      });
    }
    server = &network.Listen("central.test:80", [this](const ServedRequest& request) {
      for (DecodedSample& sample : DecodeWriteRequest(request.body).samples) {
        received.push_back(std::move(sample));
      }
      return ScriptedReply::Text(200, "");
    });
    Write(Config("j"));
  }

  static std::string Config(const std::string& job, const std::string& options = "") {
    std::string targets;
    for (int i = 0; i < 8; i++) targets += fmt::format("{}'t{}.test:80'", i == 0 ? "" : ", ", i);
    return fmt::format(R"(global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: {}
    static_configs: [{{targets: [{}]}}]
    {}
remote_write: [{{url: 'http://central.test/', queue_config: {{batch_send_deadline: 100ms}}}}]
)",
                       job, targets, options);
  }
  void Write(const std::string& config) { files.WriteFile(kFile, config); }
  size_t ReceivedOf(const std::string& name, const std::string& job) const {
    size_t count = 0;
    for (const DecodedSample& sample : received) {
      count += sample.name() == name && sample.labels.Get("job") == job;
    }
    return count;
  }
  double Metric(const std::string& name) const {
    MetricPage page;
    agent.Collect(page);
    const std::string text = "\n" + page.Text();
    const size_t begin = text.find("\n" + name + " ");
    return begin == std::string::npos ? -1 : std::stod(text.substr(begin + name.size() + 2));
  }

  SimLoop loop;
  SimNetwork network{1};
  SimTransport transport{network, loop, "agent"};
  SimFileSystem files;
  Logger logger = Logger::Silent();
  HashKey hash = HashKey::Random();
  Worker one{loop, transport, files, logger, hash, {}};
  Worker two{loop, transport, files, logger, hash, {}};
  SimDns names;
  SimDnsTransport dns{names, loop};
  Agent agent;
  int scrapes = 0;
  SimServer* server = nullptr;
  std::vector<DecodedSample> received;
};

TEST_CASE("control: each target is scraped by one worker, and all by some") {
  ControlWorld world;
  CHECK_FALSE(world.agent.ready());
  REQUIRE(world.agent.Start());
  CHECK(world.agent.ready());
  world.loop.RunFor(milliseconds(10100));
  CHECK(world.scrapes == 80);
  std::vector<TargetStatus> one, two;
  world.one.FillStatus(one);
  world.two.FillStatus(two);
  CHECK(one.size() + two.size() == 8);
  CHECK_FALSE(one.empty());
  CHECK_FALSE(two.empty());
  world.loop.RunFor(seconds(1));
  CHECK(world.ReceivedOf("m", "j") >= 80);
}

TEST_CASE("control: shards have each target once, and each what is on its own machine") {
  std::multiset<std::string> instances;
  for (uint32_t member = 0; member < 3; member++) {
    ControlWorld world(nanoseconds(0), nullptr, Shard{member, 3, 1});
    world.Write(ControlWorld::Config("j") + "  # more\nscrape_config_files: ['/etc/local.yml']\n");
    world.files.WriteFile(
        "/etc/local.yml",
        "scrape_configs: [{job_name: own, static_configs: [{targets: ['127.0.0.1:9095']}]}]\n");
    REQUIRE(world.agent.Start());
    world.loop.RunFor(milliseconds(100));
    std::vector<TargetStatus> targets;
    world.one.FillStatus(targets);
    world.two.FillStatus(targets);
    for (const TargetStatus& target : targets) instances.emplace(target.labels.Get("instance"));
    CHECK(world.Metric("tributary_target_scrape_pool_targets_elsewhere{scrape_job=\"j\"}") ==
          8 - (static_cast<double>(targets.size()) - 1));
  }
  CHECK(instances.count("127.0.0.1:9095") == 3);
  CHECK(instances.size() == 8 + 3);
  for (int i = 0; i < 8; i++) CHECK(instances.count(fmt::format("t{}.test:80", i)) == 1);
}

TEST_CASE(
    "control: a configuration that is refused at the start is the error, with every problem") {
  ControlWorld world;
  world.Write("global: {scrape_interval: x}\nno_such: 1\n");
  const Status started = world.agent.Start();
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("agent.yml:1:27: error:") != std::string::npos);
  CHECK(started.error().message.find("\n/etc/agent.yml:2:1: error:") != std::string::npos);
  CHECK_FALSE(world.agent.ready());
}

TEST_CASE("control: the node's addresses are read again at a reload, for jobs that stay too") {
  std::vector<std::string> addresses = {"10.0.0.7"};
  ControlWorld world(nanoseconds(0), [&] { return addresses; });
  std::string asked;
  world.network.Listen("10.0.0.7:80", [&](const ServedRequest& request) {
    asked = request.Header("Accept-Encoding");
    return ScriptedReply::Text(200, "m 1\n", {{"Content-Type", "text/plain"}});
  });
  const std::string config =
      "global: {scrape_interval: 1s}\n"
      "scrape_configs: [{job_name: j, static_configs: [{targets: ['10.0.0.7:80']}]}]\n";
  world.Write(config);
  REQUIRE(world.agent.Start());
  world.loop.RunFor(seconds(2));
  CHECK(asked == "identity");
  addresses = {"10.0.0.8"};
  world.Write(config + "# changed\n");
  REQUIRE(world.agent.Reload());
  world.loop.RunFor(seconds(2));
  CHECK(asked == "gzip");
}

TEST_CASE("control: a reload is applied whole, or nothing of it") {
  ControlWorld world;
  REQUIRE(world.agent.Start());
  world.loop.RunFor(seconds(5));
  const auto config = world.agent.config();
  world.Write(ControlWorld::Config("other") + "no_such: 1\n");
  CHECK_FALSE(world.agent.Reload());
  CHECK(world.agent.config() == config);
  CHECK(world.agent.ready());
  CHECK_FALSE(world.agent.last_reload_succeeded());
  CHECK(world.Metric("prometheus_config_last_reload_successful") == 0);
  world.loop.RunFor(seconds(5));
  CHECK(world.ReceivedOf("m", "other") == 0);
  CHECK(world.ReceivedOf("m", "j") >= 70);
  world.files.Remove(kFile);
  CHECK_FALSE(world.agent.Reload());
  world.Write(ControlWorld::Config("other"));
  CHECK(world.agent.Reload());
  CHECK(world.Metric("prometheus_config_last_reload_successful") == 1);
  world.loop.RunFor(seconds(10));
  CHECK(world.ReceivedOf("m", "other") >= 70);
  // The old job's series have ended.
  size_t ended = 0;
  for (const DecodedSample& sample : world.received) {
    ended += sample.labels.Get("job") == "j" && sample.name() == "m" && IsStaleNan(sample.value);
  }
  CHECK(ended == 8);
}

TEST_CASE("control: with auto-reload a changed file is loaded by itself, a refused one once") {
  ControlWorld world(seconds(30));
  world.files.WriteFile("/etc/more/a.yml", "scrape_configs: [{job_name: a}]\n");
  const std::string more = "scrape_config_files: ['more/*.yml']\n";
  world.Write(ControlWorld::Config("j") + more);
  REQUIRE(world.agent.Start());
  auto config = world.agent.config();
  const auto reloaded = [&] {
    world.loop.RunFor(seconds(31));
    return std::exchange(config, world.agent.config()) != world.agent.config();
  };
  CHECK_FALSE(reloaded());
  world.Write(ControlWorld::Config("other") + more);
  CHECK(reloaded());
  CHECK(config->scrape_configs.front().job_name == "other");
  CHECK_FALSE(reloaded());
  world.files.WriteFile("/etc/more/a.yml", "scrape_configs: [{job_name: b}]\n");
  CHECK(reloaded());
  world.files.WriteFile("/etc/more/c.yml", "scrape_configs: [{job_name: c}]\n");
  CHECK(reloaded());
  CHECK(config->scrape_configs.size() == 3);
  world.files.Remove("/etc/more/a.yml");
  CHECK(reloaded());
  // As while it is replaced.
  world.files.Remove(kFile);
  CHECK_FALSE(reloaded());
  CHECK(world.agent.last_reload_succeeded());
  world.Write("no_such: 1\n");
  CHECK_FALSE(reloaded());
  CHECK_FALSE(world.agent.last_reload_succeeded());
  const TimestampMs before = world.agent.last_config_ms();
  CHECK_FALSE(reloaded());
  world.Write(ControlWorld::Config("j"));
  CHECK(reloaded());
  CHECK(world.agent.last_reload_succeeded());
  CHECK(world.agent.last_config_ms() > before);
  // What was reloaded otherwise is not loaded again.
  world.Write(ControlWorld::Config("k"));
  REQUIRE(world.agent.Reload());
  config = world.agent.config();
  CHECK_FALSE(reloaded());
}

TEST_CASE("control: files that cannot be read are told, and are no change") {
  SimFileSystem files;
  ConfigFiles watched(files, kFile);
  const Result<bool> absent = watched.Changed();
  REQUIRE_FALSE(absent);
  CHECK(absent.error().message.find(kFile) != std::string::npos);
  files.WriteFile(kFile, "{}");
  CHECK(watched.Changed().value());
  files.Remove(kFile);
  CHECK_FALSE(watched.Changed());
  files.WriteFile(kFile, "{}");
  CHECK_FALSE(watched.Changed().value());
}

TEST_CASE("control: without auto-reload nothing looks at the file") {
  ControlWorld world;
  REQUIRE(world.agent.Start());
  world.Write(ControlWorld::Config("other"));
  world.loop.RunFor(seconds(300));
  CHECK(world.agent.config()->scrape_configs.front().job_name == "j");
}

TEST_CASE("control: a reload leaves alone what did not change, a change of rules alone is one") {
  ControlWorld world;
  REQUIRE(world.agent.Start());
  world.loop.RunFor(seconds(5));
  const int before = world.scrapes;
  for (int i = 0; i < 10; i++) {
    REQUIRE(world.agent.Reload());
    world.loop.RunFor(seconds(1));
  }
  CHECK(world.scrapes == before + 80);
  CHECK(world.Metric("prometheus_target_scrape_pool_reloads_total") == 0);
  // Discovery finds the same; the job's rules drop all targets but one.
  world.Write(ControlWorld::Config(
      "j", "relabel_configs: [{source_labels: [__address__], regex: 't3.*', action: keep}]"));
  REQUIRE(world.agent.Reload());
  CHECK(world.Metric("prometheus_target_scrape_pool_reloads_total") == 1);
  world.loop.RunFor(seconds(1));
  const int filtered = world.scrapes;
  world.loop.RunFor(seconds(10));
  CHECK(world.scrapes == filtered + 10);
  TargetsStatus status;
  world.agent.FillDropped(status);
  CHECK(status.dropped.size() == 7);
}

TEST_CASE("control: target_limit holds over all workers") {
  ControlWorld world;
  world.Write(ControlWorld::Config("j", "target_limit: 7"));
  REQUIRE(world.agent.Start());
  world.loop.RunFor(seconds(5));
  CHECK(world.scrapes == 0);
  CHECK(world.ReceivedOf("up", "j") >= 30);
  CHECK(world.Metric("prometheus_target_scrape_pool_exceeded_target_limit_total") == 1);
}

// A configuration that is fetched: from a variable, which stands for what can be changed.
struct FetchedWorld : ControlWorld {
  explicit FetchedWorld(nanoseconds auto_reload = nanoseconds(0))
      : seams{loop, files, transport, dns,
              [this](const char*) { return there ? text.c_str() : nullptr; }},
        fetched(seams, logger, agent, *ParseConfigLocation("env:CONFIG"), {}, auto_reload) {
    files.Remove(kFile);
  }
  bool Done(const std::optional<Status>& status) {
    return loop.RunUntil([&] { return status.has_value(); }, seconds(100));
  }
  Status Start() {
    std::optional<Status> got;
    fetched.Start([&](Status status) { got = std::move(status); });
    REQUIRE(Done(got));
    return *got;
  }
  Status Reload() {
    std::optional<Status> got;
    fetched.Reload([&](Status status) { got = std::move(status); });
    REQUIRE(Done(got));
    return *got;
  }
  std::string Job() const { return agent.config()->scrape_configs.front().job_name; }

  std::string text = Config("j");
  bool there = true;
  DiscoverySeams seams;
  FetchedConfig fetched;
};

TEST_CASE(
    "control: a fetched configuration is fetched again at a reload; if it fails the old stays") {
  FetchedWorld world;
  REQUIRE(world.Start());
  CHECK(world.agent.ready());
  world.text = ControlWorld::Config("other");
  REQUIRE(world.Reload());
  CHECK(world.Job() == "other");
  world.there = false;
  const Status failed = world.Reload();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find("env:CONFIG: ") == 0);
  CHECK(world.Job() == "other");
  CHECK_FALSE(world.agent.last_reload_succeeded());
  world.there = true;
  world.text = "no_such: 1\n";
  CHECK_FALSE(world.Reload());
  CHECK(world.Job() == "other");
  // Asked for at the same time: both see what is there now.
  std::vector<bool> done;
  world.fetched.Reload([&](const Status& status) { done.push_back(status.has_value()); });
  world.text = ControlWorld::Config("last");
  world.fetched.Reload([&](const Status& status) { done.push_back(status.has_value()); });
  world.loop.RunFor(seconds(1));
  CHECK(done == std::vector<bool>{true, true});
  CHECK(world.Job() == "last");
  world.fetched.Stop();
  CHECK_FALSE(world.Reload());
}

TEST_CASE("control: a configuration that cannot be fetched at the start is an error") {
  FetchedWorld world;
  world.there = false;
  CHECK_FALSE(world.Start());
  CHECK_FALSE(world.agent.ready());
}

TEST_CASE(
    "control: with auto-reload a fetched configuration is looked at, and a failure is no change") {
  FetchedWorld world(seconds(30));
  REQUIRE(world.Start());
  world.loop.RunFor(seconds(31));
  const auto config = world.agent.config();
  world.there = false;
  world.loop.RunFor(seconds(31));
  CHECK(world.agent.config() == config);
  CHECK(world.agent.last_reload_succeeded());
  world.there = true;
  world.loop.RunFor(seconds(31));
  CHECK(world.agent.config() == config);
  world.text = ControlWorld::Config("other");
  world.loop.RunFor(seconds(31));
  CHECK(world.Job() == "other");
  MetricPage page;
  world.fetched.Collect(page);
  CHECK(page.Text().find("tributary_config_fetch_failures_total 1\n") != std::string::npos);
}

TEST_CASE("control: a shutdown delivers what is there, once, and takes no reload") {
  ControlWorld world;
  REQUIRE(world.agent.Start());
  world.loop.RunFor(seconds(4));
  world.server->unreachable = GENERATE(false, true);
  world.loop.RunFor(seconds(1));
  std::vector<bool> drained;
  world.agent.Shutdown(seconds(20), [&](bool all) { drained.push_back(all); });
  const int scrapes = world.scrapes;
  CHECK_FALSE(world.agent.ready());
  const Status reloaded = world.agent.Reload();
  REQUIRE_FALSE(reloaded);
  CHECK(reloaded.error().message.find("stopping") != std::string::npos);
  world.loop.RunFor(milliseconds(19900));
  CHECK(drained.size() == (world.server->unreachable ? 0 : 1));
  world.loop.RunFor(seconds(100));
  REQUIRE(drained.size() == 1);
  CHECK(drained[0] == !world.server->unreachable);
  CHECK(world.scrapes == scrapes);
  if (drained[0]) CHECK(world.ReceivedOf("m", "j") == static_cast<size_t>(scrapes));
}

}  // namespace
}  // namespace tributary
