#include "agent/discovery/aws/ecs_task_metadata.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "agent/discovery/aws/json_fields.h"
#include "common/base/host_port.h"

namespace tributary {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kNetworkHolder = "CNI_PAUSE";
constexpr double kNanosecondsPerSecond = 1e9;
constexpr double kBytesPerMib = 1 << 20;

// What follows the last '/' of an ARN; of a plain name all of it.
std::string NameOf(const std::string& arn) { return arn.substr(arn.rfind('/') + 1); }

// arn:partition:service:REGION:...
std::string RegionOf(std::string_view arn) {
  if (!arn.starts_with("arn:")) return "";
  for (int i = 0; i < 3; i++) arn.remove_prefix(std::min(arn.find(':'), arn.size() - 1) + 1);
  return std::string(arn.substr(0, arn.find(':')));
}

EcsTaskContainer ReadContainer(const Json& json) {
  EcsTaskContainer container;
  container.id = TextOf(json, "DockerId");
  container.name = TextOf(json, "Name");
  container.image = TextOf(json, "Image");
  if (const Json* health = FieldOf(json, "Health")) {
    container.health_status = TextOf(*health, "status");
  }
  if (const Json* labels = FieldOf(json, "Labels")) container.labels = ReadTexts(*labels);
  ForEach(json, "Networks", [&container](const Json& network) {
    if (!container.network_mode.empty()) return;
    container.network_mode = TextOf(network, "NetworkMode");
    ForEach(network, "IPv4Addresses", [&container](const Json& address) {
      if (container.address.empty() && address.is_string()) {
        container.address = address.get<std::string>();
      }
    });
  });
  ForEach(json, "Ports", [&container](const Json& port) {
    const double number = NumberOf(port, "ContainerPort").value_or(0);
    if (TextOf(port, "Protocol") == "tcp") AddTcpPort(number, container);
  });
  return container;
}

std::string HostOf(const EcsTaskContainer& container) {
  const bool is_shared = container.network_mode == "awsvpc" || container.network_mode == "host";
  return is_shared ? "127.0.0.1" : container.address;
}

void AddTaskLabels(const EcsOwnTask& task, Labels& labels) {
  labels.Set("__meta_ecs_region", RegionOf(task.arn));
  labels.Set("__meta_ecs_cluster", NameOf(task.cluster));
  labels.Set("__meta_ecs_service", task.service);
  labels.Set("__meta_ecs_task_arn", task.arn);
  labels.Set("__meta_ecs_task_id", NameOf(task.arn));
  labels.Set("__meta_ecs_task_family", task.family);
  labels.Set("__meta_ecs_task_revision", task.revision);
  labels.Set("__meta_ecs_availability_zone", task.availability_zone);
  labels.Set("__meta_ecs_launch_type", task.launch_type);
  labels.Set("__meta_ecs_desired_status", task.desired_status);
  labels.Set("__meta_ecs_last_status", task.known_status);
}

TargetGroup MakeTarget(const EcsOwnTask& task, const EcsTaskContainer& container, int port) {
  TargetGroup group;
  group.targets = {JoinHostPort(HostOf(container), port)};
  group.source = container.name + ":" + std::to_string(port);
  Labels& labels = group.labels;
  AddTaskLabels(task, labels);
  labels.Set("__meta_ecs_network_mode", container.network_mode);
  labels.Set("__meta_ecs_ip_address", container.address);
  AddContainerLabels(container, port, labels);
  ApplyExporterLabels(container, labels);
  return group;
}

// Of control groups version 1, else 2.
double InactiveFileBytes(const Json& memory) {
  const Json* details = FieldOf(memory, "stats");
  if (details == nullptr) return 0;
  return NumberOf(*details, "total_inactive_file")
      .value_or(NumberOf(*details, "inactive_file").value_or(0));
}

void ReadDisk(const Json& json, EcsContainerStats& stats) {
  const Json* disk = FieldOf(json, "blkio_stats");
  if (disk == nullptr) return;
  ForEach(*disk, "io_service_bytes_recursive", [&stats](const Json& entry) {
    const std::string operation = TextOf(entry, "op");
    const double bytes = NumberOf(entry, "value").value_or(0);
    if (operation == "Read" || operation == "read") {
      stats.read_bytes = stats.read_bytes.value_or(0) + bytes;
    } else if (operation == "Write" || operation == "write") {
      stats.written_bytes = stats.written_bytes.value_or(0) + bytes;
    }
  });
}

EcsContainerStats ReadStats(const Json& json) {
  EcsContainerStats stats;
  if (const Json* cpu = FieldOf(json, "cpu_stats")) {
    if (const Json* usage = FieldOf(*cpu, "cpu_usage")) {
      stats.cpu_seconds = NumberOf(*usage, "total_usage");
      if (stats.cpu_seconds) *stats.cpu_seconds /= kNanosecondsPerSecond;
    }
  }
  if (const Json* memory = FieldOf(json, "memory_stats")) {
    stats.memory_bytes = NumberOf(*memory, "usage");
    stats.memory_limit_bytes = NumberOf(*memory, "limit");
    if (stats.memory_bytes) {
      stats.working_set_bytes = std::max(0.0, *stats.memory_bytes - InactiveFileBytes(*memory));
    }
  }
  ReadDisk(json, stats);
  if (const Json* networks = FieldOf(json, "networks");
      networks != nullptr && networks->is_object()) {
    for (const auto& [name, network] : networks->items()) {
      const auto number = [&item = network](const char* field) {
        return NumberOf(item, field).value_or(0);
      };
      stats.interfaces[name] = {number("rx_bytes"),   number("rx_packets"), number("rx_errors"),
                                number("rx_dropped"), number("tx_bytes"),   number("tx_packets"),
                                number("tx_errors"),  number("tx_dropped")};
    }
  }
  return stats;
}

void CollectInterface(const EcsContainerStats::Interface& interface, const MetricLabels& labels,
                      MetricSink& sink) {
  const auto counter = [&](const char* name, const char* help, double value) {
    sink.AddCounter(name, help, labels, value);
  };
  counter("container_network_receive_bytes_total", "Bytes received.", interface.received_bytes);
  counter("container_network_receive_packets_total", "Packets received.",
          interface.received_packets);
  counter("container_network_receive_errors_total", "Errors of receiving.",
          interface.received_errors);
  counter("container_network_receive_packets_dropped_total", "Packets dropped as they came.",
          interface.received_drops);
  counter("container_network_transmit_bytes_total", "Bytes sent.", interface.sent_bytes);
  counter("container_network_transmit_packets_total", "Packets sent.", interface.sent_packets);
  counter("container_network_transmit_errors_total", "Errors of sending.", interface.sent_errors);
  counter("container_network_transmit_packets_dropped_total", "Packets dropped as they were sent.",
          interface.sent_drops);
}

void CollectContainer(const EcsContainerStats& stats, const MetricLabels& labels,
                      MetricSink& sink) {
  const auto counter = [&](const char* name, const char* help, std::optional<double> value) {
    if (value) sink.AddCounter(name, help, labels, *value);
  };
  const auto gauge = [&](const char* name, const char* help, std::optional<double> value) {
    if (value) sink.AddGauge(name, help, labels, *value);
  };
  counter("container_cpu_usage_seconds_total", "CPU time used.", stats.cpu_seconds);
  gauge("container_memory_usage_bytes", "Memory used, page cache included.", stats.memory_bytes);
  gauge("container_memory_working_set_bytes", "Memory used, less inactive page cache.",
        stats.working_set_bytes);
  gauge("container_spec_memory_limit_bytes", "Memory that may be used.", stats.memory_limit_bytes);
  counter("container_fs_reads_bytes_total", "Bytes read from disks.", stats.read_bytes);
  counter("container_fs_writes_bytes_total", "Bytes written to disks.", stats.written_bytes);
  for (const auto& [name, interface] : stats.interfaces) {
    MetricLabels with_name = labels;
    with_name.emplace_back("interface", name);
    CollectInterface(interface, with_name, sink);
  }
}

}  // namespace

Result<std::string> ReadOwnContainerId(const std::string& json) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  std::string id = TextOf(*root, "DockerId");
  if (id.empty()) return Fail("answered without a DockerId");
  return id;
}

Result<EcsOwnTask> ReadOwnTask(const std::string& json) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  EcsOwnTask task;
  task.cluster = TextOf(*root, "Cluster");
  task.arn = TextOf(*root, "TaskARN");
  task.family = TextOf(*root, "Family");
  task.revision = TextOf(*root, "Revision");
  task.service = TextOf(*root, "ServiceName");
  task.availability_zone = TextOf(*root, "AvailabilityZone");
  task.launch_type = TextOf(*root, "LaunchType");
  task.desired_status = TextOf(*root, "DesiredStatus");
  task.known_status = TextOf(*root, "KnownStatus");
  if (task.arn.empty()) return Fail("answered without a TaskARN");
  if (const Json* limits = FieldOf(*root, "Limits")) {
    task.cpu_limit = NumberOf(*limits, "CPU");
    task.memory_limit_mib = NumberOf(*limits, "Memory");
  }
  ForEach(*root, "Containers", [&task](const Json& item) {
    if (TextOf(item, "Type") != kNetworkHolder) task.containers.push_back(ReadContainer(item));
  });
  return task;
}

Result<EcsTaskStats> ReadTaskStats(const std::string& json) {
  const Result<Json> root = ReadObject(json);
  if (!root) return tl::unexpected(root.error());
  EcsTaskStats stats;
  // Null of those that do not run.
  for (const auto& [id, item] : root->items()) {
    if (item.is_object()) stats[id] = ReadStats(item);
  }
  return stats;
}

std::vector<TargetGroup> MakeSiblingTargets(const EcsOwnTask& task, const std::string& own_id) {
  std::vector<TargetGroup> groups;
  for (const EcsTaskContainer& container : task.containers) {
    if (container.id == own_id || HostOf(container).empty()) continue;
    for (const int port : ScrapePorts(container)) {
      groups.push_back(MakeTarget(task, container, port));
    }
  }
  return groups;
}

void CollectTaskStats(const EcsOwnTask& task, const EcsTaskStats& stats, MetricSink& sink) {
  const MetricLabels of_task = {{"ecs_cluster", NameOf(task.cluster)},
                                {"ecs_task_family", task.family},
                                {"ecs_task_id", NameOf(task.arn)}};
  if (task.cpu_limit) {
    sink.AddGauge("ecs_task_cpu_limit_vcpu", "CPU that the task may use.", of_task,
                  *task.cpu_limit);
  }
  if (task.memory_limit_mib) {
    sink.AddGauge("ecs_task_memory_limit_bytes", "Memory that the task may use.", of_task,
                  *task.memory_limit_mib * kBytesPerMib);
  }
  for (const EcsTaskContainer& container : task.containers) {
    const auto found = stats.find(container.id);
    if (found == stats.end()) continue;
    MetricLabels labels = of_task;
    labels.emplace_back("container", container.name);
    labels.emplace_back("image", container.image);
    CollectContainer(found->second, labels, sink);
  }
}

}  // namespace tributary
