// The process metrics of Prometheus' client libraries, read from /proc/self. What cannot be read is
// left out: a page without it is better than none.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "agent/telemetry/metric_page.h"
#include "common/base/version.h"

namespace tributary {
namespace {

struct ProcessStat {
  double cpu_ticks = 0;
  double threads = 0;
  double start_ticks = 0;  // since boot
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// proc(5): fields are counted from 1; the second, the name in parentheses, may hold anything.
std::optional<ProcessStat> ReadProcessStat() {
  const std::string text = ReadFile("/proc/self/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  ProcessStat stat;
  for (int number = 3; number <= 24; number++) {
    if (!(fields >> field)) return std::nullopt;
    if (number == 3) continue;  // the state, a letter
    const double value = std::strtod(field.c_str(), nullptr);
    if (number == 14 || number == 15) stat.cpu_ticks += value;
    if (number == 20) stat.threads = value;
    if (number == 22) stat.start_ticks = value;
    if (number == 23) stat.virtual_bytes = value;
    if (number == 24) stat.resident_pages = value;
  }
  return stat;
}

std::optional<double> BootTimeSeconds() {
  std::istringstream lines(ReadFile("/proc/stat"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("btime ")) return std::strtod(line.c_str() + 6, nullptr);
  }
  return std::nullopt;
}

std::optional<size_t> OpenFileDescriptors() {
  std::error_code error;
  size_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    count++;
  }
  if (error || count == 0) return std::nullopt;
  return count - 1;  // one of them is the listing's own
}

void AddLimit(MetricSink& sink, int resource, std::string_view name, std::string_view help) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  sink.AddGauge(name, help, {}, static_cast<double>(limit.rlim_cur));
}

void CollectStat(MetricSink& sink) {
  const auto stat = ReadProcessStat();
  if (!stat) return;
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  sink.AddCounter("process_cpu_seconds_total", "Processor time used, user and system, in seconds.",
                  {}, stat->cpu_ticks / ticks_per_second);
  sink.AddGauge("process_resident_memory_bytes", "Memory resident in RAM, in bytes.", {},
                stat->resident_pages * page_bytes);
  sink.AddGauge("process_virtual_memory_bytes", "Address space in use, in bytes.", {},
                stat->virtual_bytes);
  sink.AddGauge("process_threads", "Threads of the process.", {}, stat->threads);
  if (const auto boot = BootTimeSeconds()) {
    sink.AddGauge("process_start_time_seconds", "When the process started, in seconds since 1970.",
                  {}, *boot + stat->start_ticks / ticks_per_second);
  }
}

}  // namespace

void CollectProcess(MetricSink& sink) {
  CollectStat(sink);
  if (const auto open = OpenFileDescriptors()) {
    sink.AddGauge("process_open_fds", "Open file descriptors.", {}, static_cast<double>(*open));
  }
  AddLimit(sink, RLIMIT_NOFILE, "process_max_fds", "File descriptors that may be open.");
  AddLimit(sink, RLIMIT_AS, "process_virtual_memory_max_bytes",
           "Address space that may be used, in bytes.");
  const std::string version(Version());
  const std::string revision(Revision());
  // Dashboards find their agents by this name; labels that only make sense for Go are left out.
  sink.AddGauge("prometheus_build_info", "What was built; always 1.",
                {{"version", version}, {"revision", revision}}, 1);
#ifdef __clang__
  const std::string compiler = "clang++ " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  sink.AddGauge("tributary_build_info", "What was built; always 1.",
                {{"version", version}, {"revision", revision}, {"compiler", compiler}}, 1);
}

}  // namespace tributary
