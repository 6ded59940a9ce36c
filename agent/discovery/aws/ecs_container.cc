#include "agent/discovery/aws/ecs_container.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/discovery/aws/ec2_targets.h"

namespace tributary {
namespace {

constexpr std::string_view kExporterLabel = "PROMETHEUS_EXPORTER_";

std::string LabelOf(const EcsContainer& container, std::string_view exporter) {
  const auto found = container.labels.find(std::string(kExporterLabel) + std::string(exporter));
  return found == container.labels.end() ? "" : found->second;
}

std::optional<int> ExporterPort(const EcsContainer& container) {
  const std::string text = LabelOf(container, "PORT");
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && IsPort(port) ? std::optional(port) : std::nullopt;
}

}  // namespace

void AddTcpPort(double port, EcsContainer& container) {
  if (!IsPort(port)) return;
  std::vector<int>& ports = container.tcp_ports;
  const int number = static_cast<int>(port);
  const auto place = std::lower_bound(ports.begin(), ports.end(), number);
  if (place == ports.end() || *place != number) ports.insert(place, number);
}

std::vector<int> ScrapePorts(const EcsContainer& container) {
  if (const std::optional<int> port = ExporterPort(container)) return {*port};
  return container.tcp_ports;
}

void AddContainerLabels(const EcsContainer& container, int port, Labels& labels) {
  labels.Set("__meta_ecs_container_id", container.id);
  labels.Set("__meta_ecs_container_name", container.name);
  labels.Set("__meta_ecs_container_image", container.image);
  labels.Set("__meta_ecs_container_port", std::to_string(port));
  labels.Set("__meta_ecs_container_health_status", container.health_status);
  AddTagLabels({container.labels.begin(), container.labels.end()}, "__meta_ecs_container_label_",
               labels);
}

void ApplyExporterLabels(const EcsContainer& container, Labels& labels) {
  if (!ExporterPort(container)) return;
  const std::pair<std::string_view, std::string_view> kLabels[] = {
      {"PATH", "__metrics_path__"}, {"SCHEME", "__scheme__"}, {"JOB_NAME", "job"}};
  for (const auto& [exporter, label] : kLabels) {
    if (std::string value = LabelOf(container, exporter); !value.empty()) {
      labels.Set(std::string(label), value);
    }
  }
}

}  // namespace tributary
