#include "tools/agentctl/scrape_once.h"

#include <limits>
#include <utility>

#include "agent/scrape/scrape_manager.h"
#include "common/base/assert.h"
#include "common/compress/inflate.h"
#include "common/config/url.h"
#include "common/event/system_event_loop.h"
#include "common/http/system_transport.h"

namespace tributary {
namespace {

using Groups = std::vector<std::shared_ptr<const GroupSamples>>;

// With this seed the target is due in a millisecond.
uint64_t SeedForNow(const TargetSpec& target, int64_t wall_ns) {
  const int64_t due = wall_ns + 1'000'000;
  return target.key ^ static_cast<uint64_t>(due % nanoseconds(target.interval).count());
}

// Runs the loop until the log has what the scrape appended, which it does in one piece.
Groups RunScrape(SystemEventLoop& loop, ScrapeEnvironment& env,
                 const std::shared_ptr<const ScrapeJob>& job,
                 const std::shared_ptr<const TargetSpec>& target, ScrapeOutcome& outcome) {
  Groups groups;
  SampleLog::ReaderId reader = 0;
  const auto take = [&](SampleLog::Batch batch) {
    for (LogRecord& record : batch.records) groups.push_back(std::move(record.samples));
    loop.Stop();
  };
  reader = env.log.AddReader(
      "agentctl", [&] { env.log.Read(reader, std::numeric_limits<uint64_t>::max(), take); });
  ScrapeManager manager(env);
  manager.Apply(job, {target});
  loop.Run();
  std::vector<TargetStatus> status;
  manager.FillStatus(status);
  CHECK(status.size() == 1);
  outcome.up = status.front().health == TargetStatus::Health::kUp;
  outcome.error = status.front().last_error;
  outcome.families = env.metadata.InUse();  // those of the target, which goes with the manager
  manager.Stop();
  return groups;
}

}  // namespace

double ScrapeOutcome::Report(std::string_view name) const {
  for (const SeriesSample& sample : report) {
    if (sample.labels.Get(kMetricName) == name) return sample.value;
  }
  return 0;
}

ScrapeOutcome ScrapeOnce(FileSystem& files, const ScrapeRequest& request) {
  ScrapeOutcome outcome;
  outcome.job = request.job;
  outcome.target = *request.target;
  auto job = std::make_shared<ScrapeJob>(request.job, request.out_of_order_time_window);
  job->rules.on_dropped = [&outcome](const Labels& labels, std::optional<size_t> rule) {
    outcome.dropped.push_back({labels, rule});
  };
  SystemEventLoop loop;
  SystemTransport curl(loop, {});
  RecordingTransport transport(loop, curl, request.keeps_body);
  SampleLog log(loop, {.memory_bytes = std::numeric_limits<size_t>::max()});
  MetadataPool metadata;
  Logger logger = Logger::Silent();
  const HashKey hash = HashKey::Random();
  ScrapeEnvironment env{.loop = loop,
                        .transport = transport,
                        .files = files,
                        .log = log,
                        .metadata = metadata,
                        .logger = logger,
                        .hash = hash,
                        .offset_seed = SeedForNow(*request.target, loop.WallNs()),
                        .scratch = {},
                        .stats = {}};
  outcome.series = ReadSeries(RunScrape(loop, env, job, request.target, outcome));
  outcome.report = TakeReport(request.target->labels, outcome.series);
  outcome.wire = transport.record();
  outcome.stats = env.stats;
  return outcome;
}

Result<std::shared_ptr<const TargetSpec>> TargetOfUrl(const ScrapeConfig& job,
                                                      const std::string& url) {
  std::string text = url.find("://") == std::string::npos ? "http://" + url : url;
  const Result<UrlParts> parts = ParseUrl(text);
  if (!parts) return tl::unexpected(parts.error());
  if (parts->host.empty()) return Fail("it names no host");
  if (parts->scheme != "http" && parts->scheme != "https") {
    return Fail("its scheme is neither http nor https");
  }
  const size_t path = text.find_first_of("/?#", text.find("://") + 3);
  if (path == std::string::npos) text += job.metrics_path;
  const Labels given{{"__scheme__", parts->scheme}};
  Result<std::shared_ptr<TargetSpec>> target =
      MakeTarget(job, DiscoveredLabels(job, parts->host, given));
  if (!target) return tl::unexpected(target.error());
  (*target)->url = text;  // as it was given, whatever the agent would escape in it
  return std::move(*target);
}

std::string PageText(const WireRecord& wire) {
  if (wire.head.Header("Content-Encoding") != "gzip") return wire.body;
  std::string page;
  Gunzip gunzip;
  // An error has been told as that of the scrape; what came before it is worth seeing.
  static_cast<void>(gunzip.Push(wire.body, [&](std::string_view bytes) {
    page += bytes.substr(0, RecordingTransport::kBodyBytesMax - page.size());
    return page.size() < RecordingTransport::kBodyBytesMax;
  }));
  return page;
}

}  // namespace tributary
