#include "test/bench/load/load_page.h"

#include <array>

#include <fmt/format.h>

namespace tributary {

namespace {

constexpr std::array kContainerFamilies = {"container_cpu_usage_seconds_total",
                                           "container_cpu_cfs_periods_total",
                                           "container_cpu_cfs_throttled_periods_total",
                                           "container_memory_usage_bytes",
                                           "container_memory_working_set_bytes",
                                           "container_memory_rss",
                                           "container_memory_cache",
                                           "container_fs_reads_bytes_total",
                                           "container_fs_writes_bytes_total",
                                           "container_network_receive_bytes_total",
                                           "container_network_transmit_bytes_total",
                                           "container_spec_memory_limit_bytes",
                                           "container_spec_cpu_shares",
                                           "container_start_time_seconds",
                                           "container_last_seen",
                                           "container_threads",
                                           "container_file_descriptors",
                                           "container_sockets",
                                           "container_processes",
                                           "container_oom_events_total"};

}  // namespace

LoadPage::LoadPage(LoadKind kind, size_t target, size_t lines) : random_(target + 1) {
  lines_.reserve(lines);
  if (kind == LoadKind::kCadvisor) {
    AddCadvisor(target, lines);
  } else {
    AddMixed(target, lines);
  }
}

std::string LoadPage::Hex(size_t digits) {
  std::string text;
  while (text.size() < digits) text += fmt::format("{:016x}", random_());
  text.resize(digits);
  return text;
}

void LoadPage::AddCadvisor(size_t target, size_t lines) {
  const size_t containers = (lines + kContainerFamilies.size() - 1) / kContainerFamilies.size();
  std::vector<std::string> labels;
  for (size_t i = 0; i < containers; i++) {
    const std::string name = Hex(64);
    labels.push_back(fmt::format(
        R"({{container="app-{}",id="/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/)"
        R"(cri-containerd-{}.scope",image="images.example/team/service-{}@sha256:{}",name="{}",)"
        R"(namespace="team-{}",pod="service-{}-{}-{}"}})",
        i % 7, Hex(32), name, i % 40, Hex(64), name, i % 12, i % 40, target, Hex(5)));
  }
  for (size_t i = 0; i < lines; i++) {
    lines_.push_back(
        {kContainerFamilies[i / containers] + labels[i % containers], random_() % 100'000'000});
  }
}

void LoadPage::AddMixed(size_t target, size_t lines) {
  const size_t containers = lines * 6 / 10 / kContainerFamilies.size();
  for (size_t c = 0; c < containers; c++) {
    const std::string labels = fmt::format(
        R"({{container="app",image="images.example/team/service-{}:v1.{}",namespace="team-{}",)"
        R"(node="ip-10-0-{}-{}.eu-west-1.compute.internal",pod="service-{}-{}-{}"}})",
        c % 40, c % 9, c % 12, target / 250, target % 250, c % 40, target, Hex(5));
    for (const char* family : kContainerFamilies) {
      lines_.push_back({family + labels, random_() % 100'000'000});
    }
  }
  for (size_t i = 0; lines_.size() < lines; i++) {
    const char* const format =
        i % 3 == 0 ? R"(node_cpu_seconds_total{{cpu="{}",mode="user",node="n{}"}})"
                   : R"(kube_pod_status_phase{{namespace="team-1",phase="Running",pod="p{}-{}"}})";
    lines_.push_back(
        {fmt::format(fmt::runtime(format), i, target), i % 3 == 0 ? random_() % 1'000'000 : 1});
  }
}

std::string LoadPage::Next() {
  std::string page;
  for (Line& line : lines_) {
    if (random_() % 10 < 6) line.value += random_() % 1000;
    page += line.series;
    page += fmt::format(" {}\n", static_cast<double>(line.value) / 100);
  }
  return page;
}

}  // namespace tributary
