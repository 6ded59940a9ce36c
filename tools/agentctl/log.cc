// agentctl log: looks at a sample log on disk, beside a running agent or without one.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/file/posix_file_system.h"
#include "tools/agentctl/command.h"
#include "tools/agentctl/log_report.h"
#include "tools/agentctl/time_text.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

struct LogOptions {
  std::string folder;
  int partition = -1;
  std::vector<std::string> labels;
  std::string from, to;
};

bool Print(std::string_view lines) {
  return std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size();
}

Result<LogQuery> QueryOf(const LogOptions& options) {
  LogQuery query;
  if (options.partition >= 0) {
    if (options.partition >= static_cast<int>(kLogPartitions)) {
      return Fail(fmt::format("--partition: there are 0 to {}", kLogPartitions - 1));
    }
    query.partition = static_cast<uint32_t>(options.partition);
  }
  for (const std::string& label : options.labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Fail("--label: '" + label + "' is not name=value");
    }
    query.labels.emplace_back(label.substr(0, equals), label.substr(equals + 1));
  }
  for (const auto& [text, time] :
       {std::pair(&options.from, &query.from), std::pair(&options.to, &query.to)}) {
    if (text->empty()) continue;
    auto parsed = ParseTime(*text);
    if (!parsed) return Fail(parsed.error().message);
    *time = *parsed;
  }
  return query;
}

int Inspect(Disk& disk, const LogFolder& folder, const LogQuery& query) {
  if (auto done = InspectLog(disk, folder, query, Print); !done) {
    return Refuse(done.error().message);
  }
  return kExitGood;
}

int Verify(Disk& disk, const LogFolder& folder, const LogQuery& query) {
  auto totals = VerifyLog(disk, folder, query, Print);
  if (!totals) return Refuse(totals.error().message);
  std::string text =
      fmt::format("{}: {} segments, {}, {} records; {} samples, {} histograms, {} exemplars read\n",
                  folder.path, totals->segments, FormatBytes(totals->bytes), totals->records,
                  totals->counts.samples, totals->counts.histograms, totals->counts.exemplars);
  if (totals->unfinished_bytes > 0) {
    text += fmt::format("{} bytes belong to commits that have not ended: no damage\n",
                        totals->unfinished_bytes);
  }
  text += totals->damages == 0
              ? std::string("no damage\n")
              : fmt::format("{} damages, {} bytes\n", totals->damages, totals->damaged_bytes);
  Print(text);
  return totals->damages == 0 ? kExitGood : kExitBad;
}

int Dump(Disk& disk, const LogFolder& folder, const LogQuery& query) {
  bool damaged = false;
  auto done = DumpLog(disk, folder, query, Print, [&](const LogDamage& damage) {
    damaged = true;
    std::fprintf(stderr, "agentctl: %s\n", DamageText(damage).c_str());
  });
  if (!done) return Refuse(done.error().message);
  return damaged ? kExitBad : kExitGood;
}

void AddCommand(CLI::App& log, int& status, const char* name, const char* help, bool filters,
                int (*run)(Disk&, const LogFolder&, const LogQuery&)) {
  CLI::App* command = log.add_subcommand(name, help);
  auto options = std::make_shared<LogOptions>();
  command->add_option("DIR", options->folder, "The agent's --storage.path, or the log in it.")
      ->required();
  command->add_option("--partition", options->partition, "Only this one, from 0.");
  if (filters) {
    command->add_option("--label", options->labels,
                        "Only series with this label, as name=value; __name__ is the metric's "
                        "name. Repeat it for more that have to be there too.");
    command->add_option("--from", options->from,
                        "Only samples from then on: 2026-01-02T03:04:05Z or seconds since 1970.");
    command->add_option("--to", options->to, "Only samples up to then.");
  }
  command->callback([options, run, &status] {
    auto query = QueryOf(*options);
    if (!query) {
      status = Refuse(query.error().message);
      return;
    }
    PosixFileSystem disk;
    auto folder = FindLog(disk, options->folder);
    if (!folder) {
      status = Refuse(folder.error().message);
      return;
    }
    status = run(disk, *folder, *query);
    if (std::fflush(stdout) != 0) status = kExitUsage;
  });
}

}  // namespace

void AddLog(CLI::App& app, int& status) {
  CLI::App* log = app.add_subcommand(
      "log", "Look at a sample log on disk, of an agent that runs or of one that does not.");
  log->require_subcommand(1);
  AddCommand(*log, status, "inspect", "Show partitions, segments, and how far remotes are.", false,
             Inspect);
  AddCommand(*log, status, "verify",
             "Read every record and report what is damaged. Exit status: 0 nothing is, 1 something "
             "is, 2 wrong usage or it cannot be read.",
             false, Verify);
  AddCommand(*log, status, "dump",
             "Print every sample of the log as a line: series, value, milliseconds. Exit status as "
             "that of verify.",
             true, Dump);
}

}  // namespace tributary
