// Relabeling rules: where they stand, and files of nothing else.
#include "common/config/loader.h"
#include "test/support/catch.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {
namespace {

std::string Places(const std::vector<RelabelConfig>& rules) {
  std::string out;
  for (const RelabelConfig& rule : rules) {
    out += rule.position.file + ":" + std::to_string(rule.position.line) + ":" +
           std::to_string(rule.position.column) + " ";
  }
  return out;
}

TEST_CASE("config: every rule knows where it stands, also in other files and behind aliases") {
  MemoryFiles files{{"/a.yml", R"(scrape_config_files: [/b.yml]
scrape_configs:
- job_name: a
  relabel_configs:
  - &first
    regex: x
    action: labeldrop
  - {regex: y, action: labeldrop}
  metric_relabel_configs:
  - *first
remote_write:
- url: http://w/
  write_relabel_configs: [{regex: z, action: labelkeep}]
)"},
                    {"/b.yml", R"(scrape_configs:
- job_name: b
  relabel_configs:
  - regex: x
    action: labeldrop
)"}};
  const LoadResult result = LoadConfig(files, "/a.yml");
  INFO(Messages(result));
  REQUIRE(result.config != nullptr);
  const Config& config = *result.config;
  REQUIRE(config.scrape_configs.size() == 2);
  CHECK(Places(config.scrape_configs[0].relabel_configs) == "/a.yml:5:5 /a.yml:8:5 ");
  CHECK(Places(config.scrape_configs[0].metric_relabel_configs) == "/a.yml:5:5 ");
  CHECK(Places(config.scrape_configs[1].relabel_configs) == "/b.yml:4:5 ");
  CHECK(Places(config.remote_write[0].write_relabel_configs) == "/a.yml:13:27 ");
}

RulesResult Rules(const std::string& text) {
  MemoryFiles files{{"/rules.yml", text}};
  return LoadRelabelRules(files, "/rules.yml", NameValidation::kUtf8);
}

TEST_CASE("config: a file may be a list of rules and nothing else") {
  const RulesResult result =
      Rules("- {source_labels: [a, b], target_label: c}\n- action: Drop\n  regex: x\n");
  REQUIRE(result.rules.has_value());
  REQUIRE(result.rules->size() == 2);
  CHECK((*result.rules)[0].source_labels == std::vector<std::string>{"a", "b"});
  CHECK((*result.rules)[0].separator == ";");
  CHECK((*result.rules)[1].action == RelabelAction::kDrop);
  CHECK(Places(*result.rules) == "/rules.yml:1:3 /rules.yml:2:3 ");
  REQUIRE(Rules("[]").rules.has_value());
}

TEST_CASE("config: what is wrong with a file of rules is said with its place") {
  for (const auto& [text, message] : std::vector<std::pair<const char*, const char*>>{
           {"relabel_configs: []", "/rules.yml:1:1: error: a file of rules has to be a list"},
           {"", "has to be a list"},
           {"- {action: keep, regex: '('}", "/rules.yml:1:"},
           {"- {action: hashmod, target_label: x}\n- {a: b}",
            "/rules.yml:2:4: error: unknown field"},
           {"- {action: hashmod, target_label: x}", "'modulus'"},
           {"- - a", "/rules.yml:1:3"},
           {"- 'x", "/rules.yml:"}}) {
    const RulesResult result = Rules(text);
    CAPTURE(text);
    CHECK_FALSE(result.rules.has_value());
    CHECK_FALSE(result.unreadable);
    REQUIRE_FALSE(result.diagnostics.empty());
    std::string all;
    for (const Diagnostic& diagnostic : result.diagnostics) all += diagnostic.ToString() + "\n";
    CAPTURE(all);
    CHECK(all.find(message) != std::string::npos);
  }
  MemoryFiles none;
  CHECK(LoadRelabelRules(none, "/x", NameValidation::kUtf8).unreadable);
}

TEST_CASE("config: a job without a file is one of which a file says only the name") {
  const LoadResult result = LoadText("scrape_configs: [{job_name: j}]\n");
  REQUIRE(result.config != nullptr);
  CHECK(DefaultScrapeConfig("j") == result.config->scrape_configs[0]);
  // As with a `global` that says nothing.
  const LoadResult with_global =
      LoadText("global: {scrape_interval: 1m}\nscrape_configs: [{job_name: j}]\n");
  REQUIRE(with_global.config != nullptr);
  CHECK(DefaultScrapeConfig("j") == with_global.config->scrape_configs[0]);
}

}  // namespace
}  // namespace tributary
