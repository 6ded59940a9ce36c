// A container of a task of ECS as a target: what it says of itself, and how its Docker labels want
// it to be scraped. Docker labels PROMETHEUS_EXPORTER_* are those of prometheus-ecs-discovery.
//
// Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/labels/labels.h"

namespace tributary {

struct EcsContainer {
  std::string id, name, image, health_status;
  std::map<std::string, std::string> labels;  // of Docker
  std::vector<int> tcp_ports;                 // that it listens on, inside of it; sorted, each once
};

inline bool IsPort(double number) { return number >= 1 && number <= 65535; }

// Ports that are none, and those that stand there already, are left out.
void AddTcpPort(double port, EcsContainer& container);

// Where it may be scraped, inside of it: at the port that PROMETHEUS_EXPORTER_PORT names, else at
// each of its TCP ports.
std::vector<int> ScrapePorts(const EcsContainer& container);

// __meta_ecs_container_*.
void AddContainerLabels(const EcsContainer& container, int port, Labels& labels);

// What PROMETHEUS_EXPORTER_PATH, _SCHEME and _JOB_NAME say, if PROMETHEUS_EXPORTER_PORT names a
// port; relabeling may still say otherwise.
void ApplyExporterLabels(const EcsContainer& container, Labels& labels);

}  // namespace tributary
