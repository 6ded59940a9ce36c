#include "test/bench/bench_series.h"

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace tributary {

namespace {

constexpr std::array kFamilies = {"container_cpu_usage_seconds_total",
                                  "container_cpu_user_seconds_total",
                                  "container_cpu_system_seconds_total",
                                  "container_cpu_cfs_periods_total",
                                  "container_cpu_cfs_throttled_periods_total",
                                  "container_cpu_cfs_throttled_seconds_total",
                                  "container_fs_reads_total",
                                  "container_fs_reads_bytes_total",
                                  "container_fs_writes_total",
                                  "container_fs_writes_bytes_total",
                                  "container_memory_cache",
                                  "container_memory_rss",
                                  "container_memory_swap",
                                  "container_memory_usage_bytes",
                                  "container_memory_working_set_bytes",
                                  "container_memory_failcnt",
                                  "container_memory_max_usage_bytes",
                                  "container_processes",
                                  "container_sockets",
                                  "container_spec_memory_limit_bytes"};

}  // namespace

std::vector<Labels> BenchPageSeries(BenchShape shape) {
  std::mt19937_64 random(1);
  auto hex = [&](int size) {
    std::string text;
    while (size-- > 0) text += "0123456789abcdef"[random() % 16];
    return text;
  };
  const std::array namespaces = {"default", "kube-system", "monitoring", "payments-prod",
                                 "ingress-nginx"};
  const size_t families = shape == BenchShape::kIds ? 8 : kFamilies.size();
  std::vector<Labels> pods;
  for (size_t i = 0; i < kBenchSeries / families; i++) {
    const std::string app =
        std::string("service-") + static_cast<char>('a' + i % 7) + "-" + std::to_string(i % 11);
    Labels labels{{"cluster", "bench"},
                  {"container", app},
                  {"device", "/dev/nvme0n1"},
                  {"image", "registry.internal.example.com/team/" + app + ":v1." +
                                std::to_string(i % 20) + "." + std::to_string(i % 7)},
                  {"instance", "node-17"},
                  {"job", "bench"},
                  {"namespace", namespaces[i % 5]},
                  {"node", "ip-10-0-0-17.eu-west-1.compute.internal"},
                  {"pod", app + "-" + hex(10) + "-" + hex(5)},
                  {"region", "eu-west-1"}};
    if (shape == BenchShape::kIds) {
      const std::string container = hex(64);
      labels.Set("id", "/kubepods/burstable/pod" + hex(32) + "/" + container);
      labels.Set("image", "registry.example/shop/service@sha256:" + hex(64));
      labels.Set("name", container);
    }
    pods.push_back(std::move(labels));
  }
  std::vector<Labels> series;
  for (size_t f = 0; f < families; f++) {
    for (Labels labels : pods) {
      labels.Set("__name__", kFamilies[f]);
      series.push_back(std::move(labels));
    }
  }
  return series;
}

std::vector<GroupSamples> BenchGroups(BenchShape shape, uint64_t target_key) {
  std::vector<std::string> series;
  for (const Labels& labels : BenchPageSeries(shape)) PackLabels(labels, series.emplace_back());
  std::sort(series.begin(), series.end());
  const std::vector<std::string_view> packed(series.begin(), series.end());
  const auto family = std::make_shared<const FamilyMetadata>(
      FamilyMetadata{"f", MetricType::kCounter, "Cumulative cpu time consumed in seconds.", ""});
  const auto metadata =
      std::make_shared<const SeriesMetadata>(std::vector<FamilyRef>(kGroupSeriesMax, family));
  std::mt19937_64 random(2);
  std::vector<GroupSamples> groups;
  for (size_t begin = 0; begin < packed.size(); begin += kGroupSeriesMax) {
    const auto from = packed.begin() + static_cast<ptrdiff_t>(begin);
    GroupSamples& samples = groups.emplace_back();
    samples.group = std::make_shared<const GroupDefinition>(
        target_key, 1, std::vector<std::string_view>(from, from + kGroupSeriesMax));
    samples.timestamp = 1'790'000'000'000;
    samples.present.resize((kGroupSeriesMax + 63) / 64);
    samples.metadata = metadata;
    for (uint32_t i = 0; i < kGroupSeriesMax; i++) {
      samples.present[i / 64] |= uint64_t{1} << (i % 64);
      samples.values.push_back(static_cast<double>(random() % 100'000'000) / 1000);
    }
  }
  return groups;
}

}  // namespace tributary
