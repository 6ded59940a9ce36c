#include "agent/discovery/discovery.h"

#include <random>

#include "agent/discovery/target_file.h"
#include "test/support/catch.h"
#include "test/unit/agent/discovery/discovery_world.h"

namespace tributary {
namespace {

ScrapeConfig FileJob(const std::string& name, std::vector<std::string> files,
                     milliseconds interval = std::chrono::minutes(5)) {
  ScrapeConfig job;
  job.job_name = name;
  job.file_sd_configs = {{std::move(files), interval}};
  return job;
}

ScrapeConfig StaticJob(const std::string& name, std::vector<TargetGroup> groups) {
  ScrapeConfig job;
  job.job_name = name;
  job.static_configs = std::move(groups);
  return job;
}

std::string Yaml(const std::vector<std::string>& targets, const std::string& labels = "") {
  std::string text = "- targets: [";
  for (const std::string& target : targets) text += (text.back() == '[' ? "" : ", ") + target;
  return text + "]\n" + (labels.empty() ? "" : "  labels: {" + labels + "}\n");
}

TEST_CASE("discovery: static groups come at once, with their places as sources, empty ones not") {
  DiscoveryWorld f;
  f.Apply({StaticJob("j", {{{"a:1", "b:1"}, {{"x", "y"}}, ""}, {{}, {}, ""}, {{"c:1"}, {}, ""}}),
           StaticJob("none", {})});
  CHECK(f.Updates() == "j: a:1{x=y} b:1{x=y} c:1\nnone: ");
  REQUIRE(f.groups["j"].size() == 2);
  CHECK(f.groups["j"][0].source == "0");
  CHECK(f.groups["j"][1].source == "2");
  CHECK(f.discovery.Groups("j") == f.groups["j"]);
  CHECK(f.discovery.Groups("unknown").empty());
  f.loop.RunFor(std::chrono::hours(1));
  CHECK(f.Updates() == "");
}

TEST_CASE("discovery: a callback never comes from inside Apply") {
  DiscoveryWorld f;
  Config config;
  config.scrape_configs = {StaticJob("j", {{{"a:1"}, {}, ""}})};
  f.discovery.Apply(config);
  CHECK(f.updates.empty());
  f.loop.RunDue();
  CHECK(f.Updates() == "j: a:1");
}

TEST_CASE("discovery: a file's groups carry its path and follow the static ones") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/b.json", R"([{"targets": ["b:1"]}])");
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}, "x: y"));
  ScrapeConfig job = FileJob("j", {"/sd/*.json", "/sd/a.yml", "/sd/a.y*"});
  job.static_configs = {{{"s:1"}, {}, ""}};
  f.Apply({job});
  CHECK(f.Updates() == "j: s:1 a:1{x=y} b:1");
  REQUIRE(f.groups["j"].size() == 3);
  CHECK(f.groups["j"][1].source == "/sd/a.yml:0");
  CHECK(f.groups["j"][1].labels.Get("__meta_filepath") == "/sd/a.yml");
}

TEST_CASE("discovery: new targets come within a second or so, vanished ones within five") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.Apply({FileJob("j", {"/sd/*.yml"})});
  f.loop.RunFor(seconds(10));
  f.Updates();

  f.files.WriteFile("/sd/a.yml", Yaml({"a:1", "b:1"}));
  f.loop.RunFor(milliseconds(200));
  CHECK(f.Updates() == "j: a:1 b:1");
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1", "b:1", "c:1"}));
  f.loop.RunFor(milliseconds(1200));
  CHECK(f.Updates() == "j: a:1 b:1 c:1");

  f.files.WriteFile("/sd/a.yml", Yaml({"c:1"}));
  f.loop.RunFor(seconds(1));
  CHECK(f.Updates() == "");
  f.loop.RunFor(seconds(4));
  CHECK(f.Updates() == "j: c:1");
}

TEST_CASE("discovery: changed labels of a target count as a new target") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}, "v: one"));
  f.Apply({FileJob("j", {"/sd/a.yml"})});
  f.loop.RunFor(seconds(5));
  f.Updates();
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}, "v: two"));
  f.loop.RunFor(milliseconds(200));
  CHECK(f.Updates() == "j: a:1{v=two}");
}

TEST_CASE("discovery: a file that vanishes takes its targets along, an emptied one too") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.json", R"([{"targets": ["a:1"]}])");
  f.files.WriteFile("/sd/b.json", R"([{"targets": ["b:1"]}])");
  f.Apply({FileJob("j", {"/sd/*.json"})});
  f.Updates();
  f.files.Remove("/sd/a.json");
  f.loop.RunFor(seconds(5));
  CHECK(f.Updates() == "j: b:1");
  f.files.WriteFile("/sd/b.json", "[]");
  f.loop.RunFor(seconds(5));
  CHECK(f.Updates() == "j: ");
  CHECK(f.warnings.empty());
}

TEST_CASE("discovery: a glob picks up a new file, also in a folder that was not there") {
  DiscoveryWorld f;
  f.Apply({FileJob("j", {"/sd/*.yml"}, seconds(30))});
  CHECK(f.Updates() == "j: ");
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.loop.RunFor(seconds(31));
  CHECK(f.Updates() == "j: a:1");
  f.files.WriteFile("/sd/b.yml", Yaml({"b:1"}));
  f.files.WriteFile("/sd/c.txt", "no targets");
  f.loop.RunFor(seconds(2));
  CHECK(f.Updates() == "j: a:1 b:1");
  // The folder is made anew: polling finds it, and from then on it is watched again.
  f.files.Remove("/sd");
  f.loop.RunFor(seconds(10));
  CHECK(f.Updates() == "j: ");
  f.files.WriteFile("/sd/d.yml", Yaml({"d:1"}));
  f.loop.RunFor(seconds(31));
  CHECK(f.Updates() == "j: d:1");
  f.files.WriteFile("/sd/e.yml", Yaml({"e:1"}));
  f.loop.RunFor(seconds(2));
  CHECK(f.Updates() == "j: d:1 e:1");
}

TEST_CASE("discovery: without notifications the files are polled at refresh_interval") {
  DiscoveryWorld f;
  f.files.LoseNotifications(true);
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.Apply({FileJob("j", {"/sd/a.yml"}, seconds(20))});
  f.Updates();
  f.files.WriteFile("/sd/a.yml", Yaml({"b:1"}));
  f.loop.RunFor(seconds(19));
  CHECK(f.Updates() == "");
  f.loop.RunFor(seconds(2));
  CHECK(f.Updates() == "j: b:1");
}

TEST_CASE("discovery: a file half written keeps its targets until it is whole") {
  DiscoveryWorld f;
  const std::string old_content = R"([{"targets": ["a:1"]}])";
  const std::string new_content = R"([{"targets": ["a:1", "b:1"]}])";
  for (size_t bytes = 0; bytes < new_content.size(); bytes++) {
    const std::string path = "/sd" + std::to_string(bytes) + "/a.json";
    f.files.WriteFile(path, old_content);
    f.Apply({FileJob("j" + std::to_string(bytes), {path})});
    f.Updates();
    f.files.WriteFileSlowly(f.loop, path, new_content, bytes, milliseconds(700));
    f.loop.RunFor(seconds(10));
    CHECK(f.Updates() == "j" + std::to_string(bytes) + ": a:1 b:1");
  }
}

TEST_CASE("discovery: targets of a YAML file written piece by piece do not come and go") {
  DiscoveryWorld f;
  const std::string content = Yaml({"a:1"}) + Yaml({"b:1"}, "x: y") + Yaml({"c:1"});
  f.files.WriteFile("/sd/a.yml", content);
  f.Apply({FileJob("j", {"/sd/a.yml"})});
  f.Updates();
  // Cut after whole groups it is still good YAML, with fewer targets; cut at 0 it is empty.
  for (const size_t bytes : {size_t{0}, Yaml({"a:1"}).size(), content.find("- targets: [c")}) {
    f.files.WriteFileSlowly(f.loop, "/sd/a.yml", content, bytes, milliseconds(500));
    f.loop.RunFor(seconds(20));
    CHECK(f.Updates() == "");
  }
}

TEST_CASE("discovery: a file renamed over another is read") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.Apply({FileJob("j", {"/sd/*.yml"})});
  f.Updates();
  f.files.WriteFile("/sd/.a.yml.tmp", Yaml({"b:1"}));
  f.files.Rename("/sd/.a.yml.tmp", "/sd/a.yml");
  f.loop.RunFor(seconds(2));
  CHECK(f.Updates() == "j: b:1");
}

TEST_CASE("discovery: a broken or unreadable file keeps its last good targets and is counted") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.json", R"([{"targets": ["a:1"]}])");
  f.files.WriteFile("/sd/b.json", R"([{"targets": ["b:1"]}])");
  f.Apply({FileJob("j", {"/sd/*.json"}, seconds(10))});
  f.Updates();
  const std::string kErrors = "prometheus_sd_file_read_errors_total";
  CHECK(f.Metric(kErrors) == 0);

  f.files.WriteFile("/sd/a.json", R"([{"targets": broken)");
  f.loop.RunFor(seconds(5));
  CHECK(f.Metric(kErrors) == 1);
  REQUIRE(f.warnings.size() == 1);
  CHECK(f.warnings[0].find("/sd/a.json") != std::string::npos);
  f.loop.RunFor(seconds(60));
  CHECK(f.Metric(kErrors) > 5);
  CHECK(f.warnings.size() == 1);  // the same error is not told again
  CHECK(f.Errors() == "j: " + f.warnings[0]);

  f.files.FailPath("/sd/b.json", "Permission denied");
  f.loop.RunFor(seconds(60));
  CHECK(f.warnings.size() == 2);
  f.files.WriteFile("/sd/b.json", std::string(kTargetFileBytesMax + 1, ' '));
  f.files.FailPath("/sd/b.json", "");
  f.loop.RunFor(seconds(60));
  CHECK(f.warnings.size() == 3);
  f.files.FailAll("Input/output error");
  f.loop.RunFor(seconds(60));
  CHECK(f.Updates() == "");
  CHECK(TargetsText(f.discovery.Groups("j")) == "a:1 b:1");
  // Which files there are is not known either, so theirs still count.
  REQUIRE(f.warnings.size() == 4);
  CHECK(f.Errors() == "j: " + f.warnings[3] + "\nj: " + f.warnings[0] + "\nj: " + f.warnings[2]);

  f.files.FailAll("");
  f.files.WriteFile("/sd/a.json", R"([{"targets": ["c:1"]}])");
  f.files.WriteFile("/sd/b.json", R"([{"targets": ["b:1"]}])");
  f.loop.RunFor(seconds(5));
  CHECK(f.Updates() == "j: c:1 b:1");
  CHECK(f.Errors() == "");
}

TEST_CASE("discovery: a file broken from the start has no targets until it is whole") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", "- targets: [a:1\n");
  f.Apply({FileJob("j", {"/sd/a.yml"})});
  CHECK(f.Updates() == "j: ");
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.loop.RunFor(seconds(2));
  CHECK(f.Updates() == "j: a:1");
}

TEST_CASE("discovery: a reload does not touch what did not change") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.json", R"([{"targets": ["a:1"]}])");
  ScrapeConfig files = FileJob("files", {"/sd/a.json"});
  const ScrapeConfig fixed = StaticJob("fixed", {{{"s:1"}, {}, ""}});
  f.Apply({files, fixed});
  f.Updates();
  f.files.FailPath("/sd/a.json", "Permission denied");
  const size_t reads = f.files.reads();

  files.scrape_interval = seconds(7);  // nothing of discovery
  f.Apply({files, fixed, StaticJob("new", {{{"n:1"}, {}, ""}})});
  CHECK(f.Updates() == "new: n:1");
  CHECK(f.files.reads() == reads);

  // Static targets join: the file's last good groups stay, though it cannot be read.
  files.static_configs = {{{"s:2"}, {}, ""}};
  f.Apply({files, fixed});
  CHECK(f.Updates() == "files: s:2 a:1");

  // So they do when the entry itself changes and still names the file.
  files.file_sd_configs[0].files = {"/sd/*.json"};
  f.Apply({files, fixed});
  CHECK(f.Updates() == "");
  CHECK(TargetsText(f.discovery.Groups("files")) == "s:2 a:1");

  // But not when it no longer does.
  files.file_sd_configs[0].files = {"/sd/other.json"};
  f.Apply({files, fixed});
  CHECK(f.Updates() == "files: s:2");
}

TEST_CASE("discovery: a job that is gone is forgotten, with its files") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.Apply({FileJob("j", {"/sd/a.yml"}, seconds(1)), StaticJob("k", {})});
  f.Updates();
  f.files.WriteFile("/sd/a.yml", Yaml({"b:1"}));
  f.Apply({StaticJob("k", {})});
  const size_t reads = f.files.reads();
  f.loop.RunFor(seconds(60));
  CHECK(f.Updates() == "");
  CHECK(f.files.reads() == reads);
  CHECK(f.loop.pending() == 0);
  CHECK(f.discovery.Groups("j").empty());
  CHECK(f.Metric("prometheus_sd_discovered_targets name=scrape config=j") == -1);
  f.Apply({FileJob("j", {"/sd/a.yml"}), StaticJob("k", {})});
  CHECK(f.Updates() == "j: b:1");
}

TEST_CASE("discovery: jobs that name files of one folder all learn of a change") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.Apply({FileJob("j", {"/sd/a.yml"}, seconds(3)), FileJob("k", {"/sd/*.yml", "/more/*.yml"})});
  f.Updates();
  for (int i = 2; i < 30; i++) {
    f.loop.RunFor(milliseconds(1530));
    const std::string target = "a:" + std::to_string(i);
    f.files.WriteFile("/sd/a.yml", Yaml({target}));
    f.loop.RunFor(milliseconds(1470));
    CHECK(f.Updates() == "j: " + target + "\nk: " + target);
  }
}

TEST_CASE("discovery: a file that changes all the time is read once a second at most") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.Apply({FileJob("j", {"/sd/a.yml"})});
  const size_t reads = f.files.reads();
  for (int i = 0; i < 1000; i++) {
    f.files.WriteFile("/sd/a.yml", Yaml({"a:" + std::to_string(i)}));
    f.loop.RunFor(milliseconds(10));
  }
  CHECK(f.files.reads() - reads <= 11);
  CHECK(f.updates.size() <= 12);
  CHECK(f.updates.size() >= 8);
  f.loop.RunFor(seconds(2));
  CHECK(f.updates.back() == "j: a:999");
}

TEST_CASE("discovery: metrics have Prometheus' names") {
  DiscoveryWorld f;
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1", "b:1"}));
  f.Apply({FileJob("j", {"/sd/a.yml"}), StaticJob("s", {{{"s:1"}, {}, ""}})});
  CHECK(f.Metric("prometheus_sd_discovered_targets name=scrape config=j") == 2);
  CHECK(f.Metric("prometheus_sd_discovered_targets name=scrape config=s") == 1);
  CHECK(f.Metric("prometheus_sd_updates_total name=scrape") == 2);
  CHECK(f.Metric("prometheus_sd_received_updates_total name=scrape") >= 2);
  CHECK(f.Metric("prometheus_sd_updates_delayed_total name=scrape") == 0);
  CHECK(f.Metric("prometheus_sd_failed_configs name=scrape") == 0);
  CHECK(f.Metric("prometheus_sd_file_watcher_errors_total") == 0);
  CHECK(f.Metric("prometheus_sd_last_update_timestamp_seconds name=scrape config=j") ==
        Approx(static_cast<double>(f.loop.WallMs()) / 1000));
  f.files.WriteFile("/sd/a.yml", Yaml({"a:1"}));
  f.loop.RunFor(seconds(10));
  CHECK(f.Metric("prometheus_sd_discovered_targets name=scrape config=j") == 1);
  CHECK(f.Metric("prometheus_sd_updates_total name=scrape") == 3);
  CHECK(f.Metric("prometheus_sd_updates_delayed_total name=scrape") == 1);
}

TEST_CASE("discovery: after any faults, groups are what the files say five seconds later") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  DiscoveryWorld f;
  REQUIRE(f.files.CreateDirectories("/sd").has_value());
  f.Apply({FileJob("j", {"/sd/*.yml"}, seconds(60))});
  for (int round = 0; round < 300; round++) {
    for (size_t changes = random() % 6; changes > 0; changes--) {
      const std::string path = "/sd/" + std::to_string(random() % 4) + ".yml";
      const std::string content = Yaml({path.substr(4, 1) + ":" + std::to_string(random() % 3)});
      switch (random() % 5) {
        case 0:
          f.files.Remove(path);
          break;
        case 1:
          f.files.WriteFile("/sd/tmp", content);
          f.files.Rename("/sd/tmp", path);
          break;
        case 2:
          f.files.WriteFileSlowly(f.loop, path, content, random() % content.size(),
                                  milliseconds(random() % 2000));
          break;
        case 3:
          f.files.FailNextReads(random() % 3, "Input/output error");
          break;
        default:
          f.files.WriteFile(path, content);
      }
      f.loop.RunFor(milliseconds(random() % 1500));
    }
    f.files.FailNextReads(0, "");
    f.loop.RunFor(seconds(3));                // slow writers end
    f.files.WriteFile("/sd/touch", "again");  // as a read may have failed last
    f.loop.RunFor(seconds(5));
    std::vector<TargetGroup> expected;
    for (int i = 0; i < 4; i++) {
      const std::string path = "/sd/" + std::to_string(i) + ".yml";
      const auto content = f.files.ReadFile(path);
      if (!content) continue;
      const auto groups = ParseTargetFile(path, *content);
      REQUIRE(groups.has_value());
      expected.insert(expected.end(), groups->begin(), groups->end());
    }
    REQUIRE(TargetsText(f.groups["j"]) == TargetsText(expected));
    REQUIRE(f.groups["j"] == expected);
  }
}

}  // namespace
}  // namespace tributary
