#include "agent/target/target.h"

#include <algorithm>
#include <random>
#include <set>

#include "common/labels/pack_labels.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

ScrapeConfig Job(std::vector<RelabelConfig> rules = {}) {
  ScrapeConfig config;
  config.job_name = "j";
  config.scrape_interval = seconds(1);
  config.scrape_timeout = seconds(1);
  config.relabel_configs = std::move(rules);
  return config;
}

BuiltTargets Build(const ScrapeConfig& config, const std::vector<TargetGroup>& groups) {
  return BuildTargets(config, groups, RelabelRules(config.relabel_configs, NameValidation::kUtf8));
}

RelabelConfig Replace(const std::string& target, const std::string& replacement) {
  RelabelConfig rule;
  rule.target_label = target;
  rule.replacement = replacement;
  return rule;
}

RelabelConfig Copy(std::vector<std::string> sources, const std::string& target,
                   const std::string& regex = "(.*)") {
  RelabelConfig rule;
  rule.source_labels = std::move(sources);
  rule.regex = regex;
  rule.target_label = target;
  return rule;
}

RelabelConfig ByName(RelabelAction action, const std::string& regex,
                     const std::string& replacement = "$1") {
  RelabelConfig rule;
  rule.action = action;
  rule.regex = regex;
  rule.replacement = replacement;
  return rule;
}

RelabelConfig Choose(RelabelAction action, const std::string& source, const std::string& regex) {
  RelabelConfig rule;
  rule.action = action;
  rule.source_labels = {source};
  rule.regex = regex;
  return rule;
}

const Labels kPlain = {{"job", "j"}, {"instance", "a:1"}};

Labels With(Labels labels, const Labels& more) {
  for (const Label& label : more) labels.Set(label.name, label.value);
  return labels;
}

TEST_CASE("target: relabeling decides labels and URL as in Prometheus") {
  struct Case {
    std::string name;
    Labels group;
    std::vector<RelabelConfig> rules;
    Labels labels;
    std::string url = "http://a:1/metrics";
  };
  const std::vector<Case> cases = {
      {"group labels", {{"env", "prod"}}, {}, With(kPlain, {{"env", "prod"}})},
      {"tmp labels end with relabeling",
       {},
       {Replace("__tmp_x", "hello"), Copy({"__tmp_x"}, "seen")},
       With(kPlain, {{"seen", "hello"}})},
      {"meta and other reserved labels never reach series",
       {{"__meta_thing", "1"}, {"__secret", "2"}, {"plain", "3"}},
       {Copy({"__meta_thing", "__secret"}, "seen")},
       With(kPlain, {{"plain", "3"}, {"seen", "1;2"}})},
      {"instance of the group is kept",
       {{"instance", "my-host"}},
       {},
       {{"job", "j"}, {"instance", "my-host"}}},
      {"instance by rule",
       {},
       {Copy({"__address__"}, "instance", "(.*):.*")},
       {{"job", "j"}, {"instance", "a"}}},
      {"an emptied instance becomes the address",
       {{"instance", "my-host"}},
       {Replace("instance", "")},
       kPlain},
      {"job of the group wins", {{"job", "other"}}, {}, {{"job", "other"}, {"instance", "a:1"}}},
      {"job by rule", {}, {Replace("job", "renamed")}, {{"job", "renamed"}, {"instance", "a:1"}}},
      {"job can be dropped",
       {{"a1", "x"}},
       {ByName(
           RelabelAction::kLabelKeep,
           "__address__|__scheme__|__metrics_path__|__scrape_interval__|__scrape_timeout__|a1")},
       {{"a1", "x"}, {"instance", "a:1"}}},
      {"labelmap sees address and scheme",
       {},
       {ByName(RelabelAction::kLabelMap, "__(address|scheme)__", "was_$1")},
       With(kPlain, {{"was_address", "a:1"}, {"was_scheme", "http"}})},
      {"rules see the histogram modes",
       {},
       {Copy({"__convert_classic_histograms_to_nhcb__", "__always_scrape_classic_histograms__",
              "__scrape_native_histograms__"},
             "modes")},
       With(kPlain, {{"modes", "false;false;false"}})},
      {"rules see interval, timeout and path",
       {},
       {Copy({"__scrape_interval__", "__scrape_timeout__", "__metrics_path__"}, "seen")},
       With(kPlain, {{"seen", "1s;1s;/metrics"}})},
      {"address by rule",
       {},
       {Replace("__address__", "b:2")},
       {{"job", "j"}, {"instance", "b:2"}},
       "http://b:2/metrics"},
      {"no port is added",
       {},
       {Replace("__address__", "b")},
       {{"job", "j"}, {"instance", "b"}},
       "http://b/metrics"},
      {"scheme by rule", {}, {Replace("__scheme__", "https")}, kPlain, "https://a:1/metrics"},
      {"scheme, path and parameter of the group",
       {{"__scheme__", "https"}, {"__metrics_path__", "/from-label"}, {"__param_p", "v"}},
       {},
       kPlain,
       "https://a:1/from-label?p=v"},
      {"an emptied path", {}, {Replace("__metrics_path__", "")}, kPlain, "http://a:1"},
      {"an emptied scheme", {}, {Replace("__scheme__", "")}, kPlain, "//a:1/metrics"},
      {"an address in the group's labels is not seen", {{"__address__", "other:1"}}, {}, kPlain},
      {"an empty job of the group is no job", {{"job", ""}}, {}, kPlain},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const BuiltTargets built = Build(Job(c.rules), {{{"a:1"}, c.group, "0"}});
    REQUIRE(built.errors.empty());
    REQUIRE(built.active.size() == 1);
    CHECK(built.active[0]->labels.ToString() == c.labels.ToString());
    CHECK(built.active[0]->url == c.url);
  }
}

TEST_CASE("target: parameters become labels, and labels the first value of parameters") {
  struct Case {
    std::map<std::string, std::vector<std::string>> params;
    std::vector<RelabelConfig> rules;
    std::string query;
  };
  const std::vector<Case> cases = {
      {{{"module", {"http_2xx", "second"}}, {"target", {"https://example.org/?a=b&c=d", "ünï"}}},
       {},
       "?module=http_2xx&module=second&target=https%3A%2F%2Fexample.org%2F%3Fa%3Db%26c%3Dd&target="
       "%C3%BCn%C3%AF"},
      {{{"module", {"one", "two"}}, {"keep", {"x"}}},
       {Replace("__param_module", "changed"), Replace("__param_new", "added value")},
       "?keep=x&module=changed&module=two&new=added+value"},
      // A removed label leaves the parameter as it was configured.
      {{{"module", {"one", "two"}}}, {Replace("__param_module", "")}, "?module=one&module=two"},
      {{{"none", {}}, {"empty", {""}}}, {}, "?empty="},
      {{{"none", {}}}, {Replace("__param_none", "x")}, "?none=x"},
      {{{"match[]", {"{job=\"x\"}", "up"}}}, {}, "?match%5B%5D=%7Bjob%3D%22x%22%7D&match%5B%5D=up"},
  };
  for (const Case& c : cases) {
    ScrapeConfig config = Job(c.rules);
    config.params = c.params;
    const BuiltTargets built = Build(config, {{{"a:1"}, {}, "0"}});
    REQUIRE(built.active.size() == 1);
    CHECK(built.active[0]->url == "http://a:1/metrics" + c.query);
  }
}

TEST_CASE("target: a query in metrics_path is part of the path") {
  ScrapeConfig config = Job();
  config.metrics_path = "/probe?x=y";
  const BuiltTargets built = Build(config, {{{"a:1"}, {}, "0"}});
  REQUIRE(built.active.size() == 1);
  CHECK(built.active[0]->url == "http://a:1/probe%3Fx=y");
}

TEST_CASE("target: interval and timeout come from the labels") {
  ScrapeConfig config = Job({Replace("__scrape_interval__", "1m30s")});
  const BuiltTargets built = Build(config, {{{"a:1"}, {{"__scrape_timeout__", "250ms"}}, "0"}});
  REQUIRE(built.active.size() == 1);
  CHECK(built.active[0]->interval == seconds(90));
  CHECK(built.active[0]->timeout == milliseconds(250));
}

TEST_CASE("target: what cannot be scraped is an error that names group and place") {
  struct Case {
    std::string label, value, part;
  };
  const std::vector<Case> cases = {
      {"__address__", "", "no address"},
      {"__address__", "a:1/metrics", "a:1/metrics"},
      {"__address__", "http://a:1", "http://a:1"},
      {"__scrape_interval__", "nonsense", "interval"},
      {"__scrape_interval__", "", "interval"},
      {"__scrape_interval__", "0", "interval"},
      {"__scrape_timeout__", "0s", "timeout"},
      {"__scrape_timeout__", "5", "timeout"},
      {"__scrape_timeout__", "5s", "above"},
      {"__scrape_native_histograms__", "maybe", "__scrape_native_histograms__"},
  };
  for (const Case& c : cases) {
    INFO(c.label << "=" << c.value);
    const BuiltTargets built =
        Build(Job({Replace(c.label, c.value)}), {{{}, {}, "0"}, {{"a:1"}, {}, "/sd.yml:1"}});
    CHECK(built.active.empty());
    CHECK(built.dropped_count == 0);
    REQUIRE(built.errors.size() == 1);
    CHECK(built.errors[0].starts_with("instance 0 in group /sd.yml:1: "));
    CHECK(built.errors[0].find(c.part) != std::string::npos);
  }
}

TEST_CASE("target: an empty address is an error also where the group has one") {
  const BuiltTargets built = Build(Job(), {{{"", "a:1"}, {{"__address__", "b:1"}}, "0"}});
  CHECK(built.errors.size() == 1);
  REQUIRE(built.active.size() == 1);
  CHECK(built.active[0]->labels.Get("instance") == "a:1");
}

TEST_CASE("target: a value that is not UTF-8 is an error, but not in a meta label") {
  CHECK(Build(Job(), {{{"a:1"}, {{"x", "\xff"}}, "0"}}).errors.size() == 1);
  CHECK(Build(Job(), {{{"a:1"}, {{"__x", "\xff"}}, "0"}}).errors.size() == 1);
  CHECK(Build(Job(), {{{"a:1"}, {{"__meta_x", "\xff"}}, "0"}}).active.size() == 1);
}

TEST_CASE("target: histogram mode labels take Go's booleans") {
  for (const std::string value :
       {"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"}) {
    CHECK(Build(Job({Replace("__scrape_native_histograms__", value)}), {{{"a:1"}, {}, "0"}})
              .active.size() == 1);
  }
}

TEST_CASE("target: dropped ones are counted in full and kept up to the limit") {
  ScrapeConfig config = Job({Choose(RelabelAction::kDrop, "__address__", "a.*")});
  config.keep_dropped_targets = 2;
  const std::vector<TargetGroup> groups = {{{"a:1", "b:1", "a:2"}, {{"x", "1"}}, "0"},
                                           {{"a:3"}, {}, "1"}};
  BuiltTargets built = Build(config, groups);
  CHECK(built.active.size() == 1);
  CHECK(built.dropped_count == 3);
  REQUIRE(built.dropped.size() == 2);
  CHECK(built.dropped[0].Get("__address__") == "a:1");
  CHECK(built.dropped[0].Get("x") == "1");
  CHECK(built.dropped[0].Get("job") == "j");
  CHECK(built.dropped[1].Get("__address__") == "a:2");

  config.keep_dropped_targets = 0;
  const std::vector<std::string> many(kDroppedTargetsKept + 5, "a:1");
  built = Build(config, {{many, {}, "0"}});
  CHECK(built.dropped_count == kDroppedTargetsKept + 5);
  CHECK(built.dropped.size() == kDroppedTargetsKept);
}

TEST_CASE("target: equal ones are built once, the first of them") {
  const std::vector<TargetGroup> groups = {
      {{"a:1", "a:1"}, {{"__meta_n", "first"}}, "0"},
      {{"a:1"}, {{"x", "y"}}, "1"},
      {{"a:1"}, {{"__meta_n", "last"}, {"__tmp", "z"}}, "2"},
      {{"a:1"}, {{"__param_p", "1"}}, "3"},
  };
  const BuiltTargets built = Build(Job(), groups);
  REQUIRE(built.active.size() == 3);
  CHECK(UnpackLabels(built.active[0]->discovered_labels).Get("__meta_n") == "first");
  CHECK(built.active[1]->labels.Get("x") == "y");
  CHECK(built.active[2]->url == "http://a:1/metrics?p=1");
  CHECK(built.dropped_count == 0);
}

TEST_CASE("target: the key is of labels and URL, not of interval, meta labels or order") {
  const auto key = [](const ScrapeConfig& config, const Labels& group) {
    const BuiltTargets built = Build(config, {{{"a:1"}, group, "0"}});
    REQUIRE(built.active.size() == 1);
    return built.active[0]->key;
  };
  const uint64_t plain = key(Job(), {});
  ScrapeConfig slow = Job();
  slow.scrape_interval = seconds(30);
  CHECK(key(slow, {}) == plain);
  CHECK(key(Job(), {{"__meta_x", "1"}}) == plain);
  CHECK(key(Job(), {{"job", "j"}}) == plain);
  CHECK(key(Job(), {{"x", "1"}}) != plain);
  CHECK(key(Job(), {{"__metrics_path__", "/m"}}) != plain);
  CHECK(key(Job(), {{"__scheme__", "https"}}) != plain);
  CHECK(key(Job(), {{"__param_x", "1"}}) != plain);
}

TEST_CASE("target: without rules, labels are the group's and the defaults, for random groups") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> names = {"job",    "instance",   "x",       "_one", "__two",
                                          "__tmp_", "__meta_abc", "üml aut", "env"};
  for (int round = 0; round < 500; round++) {
    std::vector<TargetGroup> groups(random() % 4);
    std::set<std::string> expected;
    for (TargetGroup& group : groups) {
      group.targets.resize(random() % 4);
      for (std::string& target : group.targets) target = "h" + std::to_string(random() % 3) + ":1";
      for (const std::string& name : names) {
        if (random() % 3 == 0) group.labels.Set(name, std::to_string(random() % 2));
      }
      for (const std::string& target : group.targets) {
        Labels want = {{"job", "j"}, {"instance", target}};
        for (const Label& label : group.labels) {
          if (label.name.substr(0, 2) != "__") want.Set(label.name, label.value);
        }
        expected.insert(want.ToString() + " http://" + target + "/metrics");
      }
    }
    const BuiltTargets built = Build(Job(), groups);
    std::set<std::string> found;
    for (const auto& target : built.active) {
      found.insert(target->labels.ToString() + " " + target->url);
      CHECK(target->interval == seconds(1));
    }
    REQUIRE(found == expected);
    REQUIRE(built.active.size() == expected.size());
  }
}

TEST_CASE("target: the offset pins every target to its own moment of the wall clock") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; round++) {
    const milliseconds interval(1 + static_cast<int64_t>(random() % 200'000));
    const uint64_t key = random();
    const uint64_t replica = random();
    const auto wall_ns = static_cast<int64_t>(random() >> 2) - (int64_t{1} << 60);
    const int64_t period = nanoseconds(interval).count();
    const int64_t wait = ScrapeOffset(key, replica, interval, wall_ns).count();
    CAPTURE(interval.count(), key, replica, wall_ns, wait);
    REQUIRE(wait > 0);
    REQUIRE(wait <= period);
    const int64_t due = wall_ns + wait;
    REQUIRE(((due % period) + period) % period ==
            static_cast<int64_t>((key ^ replica) % static_cast<uint64_t>(period)));
  }
}

TEST_CASE("target: many keys spread evenly over the interval") {
  std::vector<int> tenths(10);
  for (int i = 0; i < 10'000; i++) {
    const BuiltTargets built = Build(Job(), {{{"host" + std::to_string(i) + ":9100"}, {}, "0"}});
    const nanoseconds wait = ScrapeOffset(built.active.at(0)->key, 42, seconds(1), 0);
    tenths[std::min<size_t>(9, static_cast<size_t>(wait / milliseconds(100)))]++;
  }
  for (const int count : tenths) CHECK((count > 800 && count < 1200));
}

TEST_CASE("target: the seed differs by host and by external labels") {
  const uint64_t seed = OffsetSeed("a", {{"region", "eu"}});
  CHECK(OffsetSeed("a", {{"region", "eu"}}) == seed);
  CHECK(OffsetSeed("b", {{"region", "eu"}}) != seed);
  CHECK(OffsetSeed("a", {{"region", "us"}}) != seed);
}

TEST_CASE("target: a Unix socket is a place of its own, and no label of the series") {
  ScrapeConfig config;
  config.job_name = "j";
  config.scrape_interval = config.scrape_timeout = seconds(1);
  const std::vector<TargetGroup> groups = {
      {{"a:1"}, Labels{{"__unix_socket__", "/run/a.sock"}}, "0"},
      {{"a:1"}, Labels{{"__unix_socket__", "/run/b.sock"}}, "1"},
      {{"a:1"}, {}, "2"}};
  const BuiltTargets built = BuildTargets(config, groups, RelabelRules());
  REQUIRE(built.active.size() == 3);
  CHECK(built.active[0]->unix_socket == "/run/a.sock");
  CHECK(built.active[1]->unix_socket == "/run/b.sock");
  CHECK(built.active[2]->unix_socket.empty());
  CHECK(built.active[0]->url == "http://a:1/metrics");
  CHECK(built.active[0]->labels == built.active[2]->labels);
}

}  // namespace
}  // namespace tributary
