#include "agent/remote/prepared_group.h"

#include <random>

#include "common/wire/remote_write.h"
#include "test/support/catch.h"
#include "test/support/relabel/slow_relabel.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

std::vector<std::string> EncodedOf(const PreparedGroup& prepared) {
  std::vector<std::string> all;
  std::string buffer;
  std::vector<std::string_view> labels;
  for (uint32_t chunk = 0; chunk < prepared.chunks(); chunk++) {
    prepared.Encoded(chunk, buffer, labels);
    REQUIRE(labels.size() == prepared.end(chunk) - prepared.begin(chunk));
    all.insert(all.end(), labels.begin(), labels.end());
  }
  return all;
}

TEST_CASE("prepared group: external labels come only where the series has none of that name") {
  const GroupRef group = MakeGroupOf(
      1, 1, {Labels{{"__name__", "m"}, {"a", "own"}}, Labels{{"__name__", "m"}, {"b", "x"}}});
  RemoteRules rules;
  rules.external_labels = Labels{{"a", "external"}, {"zone", "z1"}};
  const PreparedGroup prepared(*group, rules);
  CHECK(
      EncodedOf(prepared) ==
      std::vector<std::string>{
          EncodeLabels(Labels{{"__name__", "m"}, {"a", "own"}, {"zone", "z1"}}),
          EncodeLabels(Labels{{"__name__", "m"}, {"a", "external"}, {"b", "x"}, {"zone", "z1"}})});
  CHECK(prepared.keeps_all());
}

TEST_CASE("prepared group: chunks cover the series without a rest") {
  for (const auto& [series, chunk_series] : std::vector<std::pair<size_t, uint32_t>>{{1, 250},
                                                                                     {249, 250},
                                                                                     {250, 250},
                                                                                     {251, 250},
                                                                                     {500, 250},
                                                                                     {500, 1},
                                                                                     {500, 499},
                                                                                     {7, 3}}) {
    CAPTURE(series, chunk_series);
    RemoteRules rules;
    rules.chunk_series = chunk_series;
    const PreparedGroup prepared(*MakeGroup(1, 1, series), rules);
    CHECK(prepared.chunks() == (series + chunk_series - 1) / chunk_series);
    uint32_t next = 0;
    for (uint32_t chunk = 0; chunk < prepared.chunks(); chunk++) {
      CHECK(prepared.begin(chunk) == next);
      CHECK(prepared.end(chunk) > prepared.begin(chunk));
      CHECK(prepared.end(chunk) - prepared.begin(chunk) <= chunk_series);
      CHECK(prepared.bytes_per_series(chunk) > 0);
      next = prepared.end(chunk);
    }
    CHECK(next == series);
  }
}

TEST_CASE("prepared group: rules that drop all, and those that leave no label, keep nothing") {
  RemoteRules rules;
  RelabelConfig drop;
  drop.source_labels = {"__name__"};
  drop.regex = "m";
  drop.action = RelabelAction::kDrop;
  rules.write_relabel = RelabelRules({drop}, NameValidation::kUtf8);
  CHECK(PreparedGroup(*MakeGroup(1, 1, 70), rules).keeps_none());
  RelabelConfig empty;
  empty.regex = ".*";
  empty.action = RelabelAction::kLabelDrop;
  rules.write_relabel = RelabelRules({empty}, NameValidation::kUtf8);
  const PreparedGroup prepared(*MakeGroup(1, 1, 70), rules);
  CHECK(prepared.keeps_none());
  CHECK_FALSE(prepared.keeps_all());
}

TEST_CASE("prepared group: sends what external labels and rules make of each series") {
  const auto seed = GENERATE(range(1u, 61u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto one_of = [&](const std::vector<std::string>& all) { return all[random() % all.size()]; };
  std::vector<Labels> series(1 + random() % 500);
  for (Labels& labels : series) {
    labels.Set("__name__", one_of({"up", "http_requests_total", "go_gc"}));
    for (size_t i = random() % 5; i > 0; i--) {
      labels.Set(one_of({"a", "b", "job", "zone", "path"}), one_of({"x", "y", "z1", "/a/b", "é"}));
    }
  }
  std::vector<RelabelConfig> configs(random() % 4);
  for (RelabelConfig& config : configs) {
    config.source_labels = {one_of({"__name__", "a", "zone"}), one_of({"b", "path"})};
    config.regex = one_of({"(.*)", "up;.*", "(.+);(x|y)", ".*;$", "go.*;.*"});
    config.target_label = one_of({"a", "new", "__name__"});
    config.replacement = one_of({"$1", "${1}-$2", "", "fixed"});
    switch (random() % 5) {
      case 0:
        config.action = RelabelAction::kDrop;
        break;
      case 1:
        config.action = RelabelAction::kKeep;
        break;
      case 2:
        config.action = RelabelAction::kLabelDrop;
        config.regex = one_of({"a", "a|b", "z.*"});
        break;
      default:
        break;
    }
  }
  RemoteRules rules;
  for (const char* name : {"zone", "cluster", "a"}) {
    if (random() % 2 == 0) rules.external_labels.Set(name, "ext");
  }
  rules.write_relabel = RelabelRules(configs, NameValidation::kUtf8);
  rules.chunk_series = 1 + random() % 300;
  const PreparedGroup prepared(*MakeGroupOf(1, 1, series), rules);

  const std::vector<std::string> encoded = EncodedOf(prepared);
  REQUIRE(encoded.size() == series.size());
  size_t kept = 0;
  for (uint32_t i = 0; i < series.size(); i++) {
    std::vector<Label> items = series[i].items();
    for (const Label& label : rules.external_labels) {
      if (!series[i].Has(label.name)) items.push_back(label);
    }
    const auto labels = SlowRelabel(configs, Labels(items));
    const bool keeps = labels && !labels->empty();
    kept += keeps;
    CAPTURE(i, series[i].ToString());
    REQUIRE(prepared.keeps(i) == keeps);
    REQUIRE(((prepared.kept_word(i / 64) >> (i % 64)) & 1) == keeps);
    REQUIRE(encoded[i] == (keeps ? EncodeLabels(*labels) : ""));
  }
  CHECK(prepared.keeps_all() == (kept == series.size()));
  CHECK(prepared.keeps_none() == (kept == 0));
}

}  // namespace
}  // namespace tributary
