// What a label set costs in relabeling: the usual chains of a Kubernetes cluster, and the shortcuts
// beside plain RE2.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "common/relabel/matcher.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

Labels PodLabels() {
  return {{"__address__", "10.1.2.3:8080"},
          {"__meta_kubernetes_namespace", "monitoring"},
          {"__meta_kubernetes_pod_annotation_prometheus_io_port", "9100"},
          {"__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"},
          {"__meta_kubernetes_pod_container_port_name", "metrics"},
          {"__meta_kubernetes_pod_label_app", "node-exporter"},
          {"__meta_kubernetes_pod_label_pod_template_hash", "6c4d9f"},
          {"__meta_kubernetes_pod_label_version", "v1"},
          {"__meta_kubernetes_pod_name", "node-exporter-x7f2k"},
          {"__meta_kubernetes_pod_node_name", "ip-10-1-2-3.eu-west-1.compute.internal"},
          {"__metrics_path__", "/metrics"},
          {"__scheme__", "http"},
          {"job", "pods"}};
}

RelabelConfig Rule(RelabelAction action, std::vector<std::string> sources, const std::string& regex,
                   const std::string& target = "", const std::string& replacement = "$1") {
  RelabelConfig rule;
  rule.action = action;
  rule.source_labels = std::move(sources);
  rule.regex = regex;
  rule.target_label = target;
  rule.replacement = replacement;
  return rule;
}

void BM_TargetChain(benchmark::State& state) {
  using enum RelabelAction;
  const std::string pod = "__meta_kubernetes_pod_";
  RelabelRules rules(
      {Rule(kKeep, {pod + "annotation_prometheus_io_scrape"}, "true"),
       Rule(kReplace, {"__address__", pod + "annotation_prometheus_io_port"},
            "([^:]+)(?::\\d+)?;(\\d+)", "__address__", "$1:$2"),
       Rule(kLabelMap, {}, pod + "label_(.+)"),
       Rule(kReplace, {"__meta_kubernetes_namespace"}, "(.*)", "namespace"),
       Rule(kReplace, {pod + "name"}, "(.*)", "pod"), Rule(kLabelDrop, {}, "pod_template_.*")},
      NameValidation::kUtf8);
  const Labels from = PodLabels();
  for (auto _ : state) {
    Labels labels = from;
    benchmark::DoNotOptimize(rules.Apply(labels));
  }
}
BENCHMARK(BM_TargetChain);

// The most frequent rule on series: most pass, none is changed, nothing is allocated.
void BM_MetricDrop(benchmark::State& state) {
  RelabelRules rules({Rule(RelabelAction::kDrop, {"__name__"}, "go_.*|process_.*|promhttp_.*")},
                     NameValidation::kUtf8);
  Labels labels{{"__name__", "http_requests_total"}, {"code", "200"}, {"job", "api"}};
  for (auto _ : state) benchmark::DoNotOptimize(rules.Apply(labels));
}
BENCHMARK(BM_MetricDrop);

void BM_HashMod(benchmark::State& state) {
  RelabelConfig rule = Rule(RelabelAction::kHashMod, {"__address__"}, "(.*)", "__tmp_hash");
  rule.modulus = 8;
  RelabelRules rules({rule}, NameValidation::kUtf8);
  Labels labels = PodLabels();
  for (auto _ : state) benchmark::DoNotOptimize(rules.Apply(labels));
}
BENCHMARK(BM_HashMod);

void BM_Match(benchmark::State& state, const char* regex, Matcher::Paths paths) {
  Matcher matcher(regex, paths);
  const std::string text = "__meta_kubernetes_pod_label_app";
  std::vector<std::string_view> groups(matcher.group_count() + 1);
  for (auto _ : state) benchmark::DoNotOptimize(matcher.Match(text, groups));
}
constexpr auto kFast = Matcher::Paths::kShortcuts;
constexpr auto kRe2 = Matcher::Paths::kRe2Only;
BENCHMARK_CAPTURE(BM_Match, all_shortcut, "(.*)", kFast);
BENCHMARK_CAPTURE(BM_Match, all_re2, "(.*)", kRe2);
BENCHMARK_CAPTURE(BM_Match, prefix_shortcut, "__meta_kubernetes_pod_label_(.+)", kFast);
BENCHMARK_CAPTURE(BM_Match, prefix_re2, "__meta_kubernetes_pod_label_(.+)", kRe2);
BENCHMARK_CAPTURE(BM_Match, alternation_shortcut, "a|b|c|d|e", kFast);
BENCHMARK_CAPTURE(BM_Match, alternation_re2, "a|b|c|d|e", kRe2);

}  // namespace
}  // namespace tributary
