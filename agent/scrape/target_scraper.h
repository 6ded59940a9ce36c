// One target: scrapes it when it is due, reads its pages against its layout, appends the commits.
// Follows prometheus scrape/scrape.go scrapeLoop. One thread (the loop's).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/layout/page_reader.h"
#include "agent/limits/target_quota.h"
#include "agent/scrape/scrape_environment.h"
#include "agent/scrape/scrape_job.h"
#include "agent/scrape/scrape_spans.h"
#include "agent/target/target.h"
#include "agent/telemetry/status.h"
#include "common/http_client/http_client.h"

namespace tributary {

class TargetScraper : private HttpHandler {
 public:
  // `layout_key` is shared with targets of the same series, one after the other: it is what keeps
  // their samples in order.
  TargetScraper(ScrapeEnvironment& environment, uint64_t layout_key,
                std::shared_ptr<const TargetSpec> target, std::shared_ptr<const ScrapeJob> job,
                std::shared_ptr<HttpClient> client);
  ~TargetScraper() override;
  TargetScraper(const TargetScraper&) = delete;
  TargetScraper& operator=(const TargetScraper&) = delete;

  // Begins at the target's offset in its interval.
  void Start();
  // Takes over another configuration or a target that differs in what does not make it another one.
  // A scrape under way ends under the old.
  void Update(std::shared_ptr<const TargetSpec> target, std::shared_ptr<const ScrapeJob> job,
              std::shared_ptr<HttpClient> client);
  // Scrapes no more. A scrape under way is abandoned without a trace.
  void Stop();
  // For a target that is gone: `done` runs once its series have been marked as ended, two intervals
  // from now, unless Resume is called before. `lives_on` then tells of a series whether another
  // target has it.
  void Retire(std::function<bool(const TargetScraper&, std::string_view packed)> lives_on,
              std::function<void()> done);
  // A retired target is back.
  void Resume();
  // Whether a retired target's series have been marked as ended.
  bool ended() const { return ended_; }

  const TargetSpec& target() const { return *target_; }
  const TargetLayout& layout() const { return layout_; }
  const ScrapeJob& job() const { return *job_; }
  TargetStatus status() const;

 private:
  // A scrape under way.
  struct Scrape {
    std::shared_ptr<const TargetSpec> target;
    std::shared_ptr<const ScrapeJob> job;
    std::shared_ptr<HttpClient> client;
    std::shared_ptr<TargetQuota> quota;
    std::unique_ptr<ScrapeScratch> scratch;
    std::optional<PageReader> reader;
    std::unique_ptr<ScrapeSpans> spans;  // null: none
    MonotonicTime started{};
    TimestampMs timestamp = 0;
    HttpRequestId request = 0;
    bool gzip = false;
    bool is_own = false;  // the page of this process
    uint64_t body_bytes = 0;
    bool lines_known = false;  // before it
    uint64_t next_look = 0;    // at memory: once so many series are new
    uint64_t discarded_bytes = 0;
    bool over_body_limit = false;
    std::string error;       // the transfer failed
    std::string page_error;  // the page arrived but cannot be taken
  };

  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const HttpOutcome& outcome) override;

  void ScheduleFirst();
  void OnDue();
  // Of a scrape that was due then and starts now: the time it was due, if it is on time.
  TimestampMs AlignedTimestamp(int64_t due_wall_ns) const;
  void ScrapeFor(TimestampMs timestamp);
  void StartScrape(TimestampMs timestamp);
  bool TakeBody(std::string_view bytes);
  // Whether a page of that many bytes may be taken; if not, the scrape has failed.
  bool CheckBodySize(uint64_t bytes);
  // Whether memory is too short for how much of the page is new; if so, the scrape has failed.
  bool ShedsPage();
  void FinishScrape();
  void CountTotals(const PageTotals& totals);
  // Those of the job, as it is now.
  void MakeQuota();
  // What the layout has counts; where there is room, what was dropped may try again.
  void SettleQuota();
  void TellOverLimit(const Scrape& scrape);
  static void EndSpans(const Scrape& scrape, const std::string& error, const ScrapeReport& report);
  void Append(Commit commit);
  void NoteInterval();

  ScrapeEnvironment& env_;
  std::shared_ptr<const TargetSpec> target_;
  std::shared_ptr<const ScrapeJob> job_;
  std::shared_ptr<HttpClient> client_;  // the job's
  TargetLayout layout_;
  std::shared_ptr<TargetQuota> quota_;  // null: there are no limits on series
  bool is_own_ = false;                 // the last page was that of this process
  bool was_over_limit_ = false;         // series of the last page were dropped for a limit
  Timer due_timer_;
  MonotonicTime due_{};
  int64_t due_wall_ns_ = 0;
  uint32_t thinned_ = 0;     // scrapes that were left out since the last one
  bool tick_waits_ = false;  // the last tick came while a scrape was under way
  std::unique_ptr<Scrape> scrape_;
  bool ended_ = false;
  bool forget_lines_ = false;  // once the scrape under way has ended

  std::optional<MonotonicTime> last_start_;
  TimestampMs last_scrape_ms_ = 0;
  double last_duration_seconds_ = 0;
  std::string last_error_;
  TargetStatus::Health health_ = TargetStatus::Health::kUnknown;
};

}  // namespace tributary
