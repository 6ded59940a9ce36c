#include "agent/scrape/target_scraper.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "agent/scrape/content_type.h"
#include "common/base/units.h"
#include "common/base/version.h"
#include "common/labels/pack_labels.h"

namespace tributary {

namespace {

// A scrape that is late by no more than this, and by no more than a hundredth of its interval,
// bears the time at which it was due (scrape.go ScrapeTimestampTolerance).
constexpr nanoseconds kTimestampTolerance = milliseconds(2);

// Of the body of an error.
constexpr uint64_t kDiscardBytesMax = 64 << 10;

bool HasHttpScheme(const std::string& url) {
  return strncasecmp(url.c_str(), "http://", 7) == 0 ||
         strncasecmp(url.c_str(), "https://", 8) == 0;
}

// 0: not told.
uint64_t ContentLength(const HttpResponseHead& head) {
  const std::string_view text = head.Header("Content-Length");
  uint64_t length = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, length);
  return parsed.ec == std::errc() && parsed.ptr == end ? length : 0;
}

// Where memory is short: scrapes left out before one is made, and what comes and goes all the time
// in a page that is no larger than before.
constexpr uint32_t kThinnedOut = 3;
constexpr uint64_t kNewSeriesAllowed = 20;
// Some hundred KiB of them.
constexpr uint64_t kSeriesBetweenLooks = 1000;

double Seconds(nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

TargetScraper::TargetScraper(ScrapeEnvironment& environment, uint64_t layout_key,
                             std::shared_ptr<const TargetSpec> target,
                             std::shared_ptr<const ScrapeJob> job,
                             std::shared_ptr<HttpClient> client)
    : env_(environment),
      target_(std::move(target)),
      job_(std::move(job)),
      client_(std::move(client)),
      layout_(layout_key, env_.first_generation),
      due_timer_(env_.loop) {
  MakeQuota();
}

TargetScraper::~TargetScraper() { Stop(); }

void TargetScraper::Start() { ScheduleFirst(); }

void TargetScraper::MakeQuota() {
  const auto &each = job_->target_series_limit, &all = job_->series_limit;
  if (each == nullptr && all == nullptr) {
    quota_.reset();
  } else if (quota_ == nullptr || !quota_->Has(each.get(), all.get())) {
    quota_ = std::make_shared<TargetQuota>(each, all);
  }
}

void TargetScraper::SettleQuota() {
  if (quota_ != nullptr) quota_->SetActive(is_own_ ? 0 : layout_.active_series());
}

void TargetScraper::ScheduleFirst() {
  const int64_t wall = env_.loop.WallNs();
  const nanoseconds offset = ScrapeOffset(target_->key, env_.offset_seed, target_->interval, wall);
  tick_waits_ = false;
  due_ = env_.loop.Now() + offset;
  due_wall_ns_ = wall + offset.count();
  due_timer_.Set(due_, [this] { OnDue(); });
}

void TargetScraper::Update(std::shared_ptr<const TargetSpec> target,
                           std::shared_ptr<const ScrapeJob> job,
                           std::shared_ptr<HttpClient> client) {
  const bool other_interval = target->interval != target_->interval;
  if (!job->ReadsLinesLike(*job_)) forget_lines_ = true;
  target_ = std::move(target);
  job_ = std::move(job);
  client_ = std::move(client);
  MakeQuota();
  if (forget_lines_ && scrape_ == nullptr) {
    layout_.ForgetLines();
    forget_lines_ = false;
  }
  if (other_interval) ScheduleFirst();
}

void TargetScraper::Stop() {
  due_timer_.Cancel();
  tick_waits_ = false;
  if (scrape_ == nullptr) return;
  scrape_->client->Cancel(scrape_->request);
  // The layout may have learned lines that were never committed.
  scrape_->reader->AbandonPage();
  scrape_->reader->Withdraw();
  scrape_.reset();
  SettleQuota();
}

void TargetScraper::Retire(
    std::function<bool(const TargetScraper&, std::string_view packed)> lives_on,
    std::function<void()> done) {
  Stop();
  env_.first_generation = std::max(env_.first_generation, layout_.generation() + 1);
  auto end = [this, done = std::move(done)] {
    ended_ = true;
    env_.loop.Post(done);
  };
  if (layout_.last_scrape_ms() == 0) return end();
  // As Prometheus: the markers bear the time of the next scrape, and are written after the one
  // after it, when a target that has only moved has been seen again.
  const nanoseconds interval = target_->interval;
  due_timer_.Set(std::max(due_, env_.loop.Now()), [this, interval, lives_on = std::move(lives_on),
                                                   end = std::move(end)] {
    const TimestampMs timestamp = env_.loop.WallMs();
    due_timer_.SetAfter(interval + interval / 10, [this, timestamp, lives_on, end] {
      if (timestamp > layout_.last_scrape_ms()) {
        Append(PageIntake::MakeEndCommit(
            layout_, timestamp, [&](std::string_view packed) { return lives_on(*this, packed); }));
      }
      end();
    });
  });
}

void TargetScraper::Resume() {
  ended_ = false;
  // Prometheus begins anew with such a target: all its lines count as added.
  layout_.ForgetLines();
  ScheduleFirst();
}

TimestampMs TargetScraper::AlignedTimestamp(int64_t due_wall_ns) const {
  const int64_t tolerance =
      std::min<nanoseconds>(kTimestampTolerance, nanoseconds(target_->interval) / 100).count();
  const int64_t wall = env_.loop.WallNs();
  const int64_t late = wall - due_wall_ns;
  return (late >= -tolerance && late <= tolerance ? due_wall_ns : wall) / 1'000'000;
}

void TargetScraper::OnDue() {
  const TimestampMs timestamp = AlignedTimestamp(due_wall_ns_);
  const nanoseconds interval = target_->interval;
  due_ += interval;
  due_wall_ns_ += interval.count();
  // Ticks that were missed are not made up for.
  while (due_ <= env_.loop.Now()) {
    due_ += interval;
    due_wall_ns_ += interval.count();
    env_.stats.skipped_ticks++;
  }
  // After a step of the clock the times that scrapes are due are those of the new clock.
  if (std::abs(timestamp * 1'000'000 + interval.count() - due_wall_ns_) > 2 * interval.count()) {
    due_wall_ns_ = timestamp * 1'000'000 + (due_ - env_.loop.Now()).count();
  }
  due_timer_.Set(due_, [this] { OnDue(); });
  if (scrape_ != nullptr) {
    // A scrape that takes its whole interval delays the next one and does not cost it: as with Go's
    // ticker, one tick waits.
    env_.stats.skipped_ticks += tick_waits_;
    tick_waits_ = true;
    return;
  }
  ScrapeFor(timestamp);
}

void TargetScraper::ScrapeFor(TimestampMs timestamp) {
  if (timestamp <= layout_.last_scrape_ms()) {
    env_.stats.skipped_clock++;
    return;
  }
  if (env_.sheds(ShedStep::kThinOut) && thinned_ < kThinnedOut) {
    thinned_++;
    env_.stats.shed_scrapes++;
    return;
  }
  thinned_ = 0;
  NoteInterval();
  StartScrape(timestamp);
}

void TargetScraper::NoteInterval() {
  const MonotonicTime now = env_.loop.Now();
  if (last_start_) {
    const std::string interval = FormatDuration(target_->interval);
    auto [it, is_new] = env_.stats.interval_lengths.try_emplace(
        interval, std::vector<double>{.01, .1, 1, 10, 60, 600});
    it->second.Observe(Seconds(now - *last_start_));
  }
  last_start_ = now;
}

void TargetScraper::StartScrape(TimestampMs timestamp) {
  env_.stats.scrapes++;
  scrape_ = std::make_unique<Scrape>();
  scrape_->target = target_;
  scrape_->job = job_;
  scrape_->client = client_;
  scrape_->quota = quota_;
  scrape_->scratch = env_.scratch.Take();
  scrape_->spans = ScrapeSpans::Begin(env_.tracer);
  scrape_->started = env_.loop.Now();
  scrape_->timestamp = timestamp;
  if (env_.series_families != nullptr) layout_.TellFamiliesOfLines();
  SettleQuota();
  layout_.ForgetOverLimit(quota_ == nullptr ? UINT64_MAX : quota_->room());
  scrape_->reader.emplace(
      PageReader::Context{layout_, job_->rules, target_->labels, env_.hash, env_.metadata,
                          scrape_->scratch->buffer, target_->histograms, env_.series_families,
                          quota_.get()},
      timestamp, env_.loop.WallMs());
  if (!job_->forced_error.empty()) {
    scrape_->error = job_->forced_error;
  } else if (!HasHttpScheme(target_->url)) {
    scrape_->error = "unsupported scheme; __scheme__ must be http or https";
  }
  scrape_->lines_known = layout_.lines().size() > 0;
  if (scrape_->error.empty() && !scrape_->lines_known && layout_.series() <= kReportSeries &&
      env_.sheds(ShedStep::kRefuseNew)) {
    env_.stats.shed_targets++;
    scrape_->error = "not scraped: the agent is near its memory limit and takes no new targets";
  }
  if (!scrape_->error.empty()) return FinishScrape();
  HttpRequest request;
  request.url = target_->url;
  request.unix_socket = target_->unix_socket;
  request.headers = {
      {"User-Agent", fmt::format("Tributary/{}", Version())},
      {"Accept", job_->accept},
      {"Accept-Encoding", job_->AcceptEncodingOf(*target_)},
      {"X-Prometheus-Scrape-Timeout-Seconds", fmt::format("{}", Seconds(target_->timeout))}};
  request.timeout = target_->timeout;
  RequestWatcher* const watcher =
      scrape_->spans != nullptr ? scrape_->spans->BeginRequest(target_->url) : nullptr;
  scrape_->request = client_->Start(std::move(request), this, watcher);
}

void TargetScraper::OnHead(const HttpResponseHead& head) {
  if (scrape_->spans != nullptr) scrape_->spans->OnHead();
  if (head.status != 200) {
    scrape_->error = fmt::format("server returned HTTP status {}", head.status);
    return;
  }
  if (env_.limits != nullptr && !env_.limits->process().empty() &&
      head.Header(kProcessHeader) == env_.limits->process()) {
    scrape_->is_own = true;
    scrape_->reader->LiftSeriesLimits();
  }
  const std::string_view encoding = head.Header("Content-Encoding");
  if (encoding == "gzip") {
    scrape_->gzip = true;
    std::unique_ptr<Gunzip>& gunzip = scrape_->scratch->gunzip;
    if (gunzip == nullptr) gunzip = std::make_unique<Gunzip>();
    gunzip->Reset();
  } else if (encoding == "zstd") {
    scrape_->error = "the target compresses with zstd, which was not asked for";
  } else {
    // Not a line is read of a page that says that it is too large.
    CheckBodySize(ContentLength(head));
  }
  // As Prometheus: whether the page can be read is found out after it has arrived.
  if (auto format = FormatOfPage(head.Header("Content-Type"),
                                 scrape_->job->config.fallback_scrape_protocol)) {
    scrape_->reader->SetFormat(*format);
  } else {
    scrape_->page_error = std::move(format.error().message);
  }
}

bool TargetScraper::OnBody(std::string_view bytes) {
  if (!scrape_->error.empty()) {
    // The rest of a short answer is read to its end: then the connection can be used again.
    scrape_->discarded_bytes += bytes.size();
    return scrape_->discarded_bytes <= kDiscardBytesMax;
  }
  if (!scrape_->gzip) return TakeBody(bytes);
  Result<bool> going_on = scrape_->scratch->gunzip->Push(
      bytes, [this](std::string_view inflated) { return TakeBody(inflated); });
  if (!going_on) {
    scrape_->error = std::move(going_on.error().message);
    return false;
  }
  return *going_on;
}

bool TargetScraper::TakeBody(std::string_view bytes) {
  scrape_->body_bytes += bytes.size();
  if (!CheckBodySize(scrape_->body_bytes)) return false;
  if (!scrape_->page_error.empty()) return true;
  scrape_->reader->Push(bytes);
  return !ShedsPage();
}

bool TargetScraper::ShedsPage() {
  const uint64_t added = scrape_->reader->totals().series_added;
  if (added > scrape_->next_look && env_.look_at_memory) {
    scrape_->next_look = added + kSeriesBetweenLooks;
    env_.look_at_memory();
  }
  if (!env_.sheds(ShedStep::kRefuseNew)) return false;
  // After a change of rules all lines of a target count as added; its series are there already.
  const uint64_t known = scrape_->lines_known ? layout_.series() / 10 : layout_.series();
  const uint64_t allowed = env_.sheds(ShedStep::kThinOut) && scrape_->lines_known
                               ? 0
                               : std::max(kNewSeriesAllowed, known);
  if (added <= allowed) return false;
  env_.stats.shed_pages++;
  scrape_->error = fmt::format(
      "the agent is near its memory limit: the page has more than {} new series", allowed);
  return true;
}

bool TargetScraper::CheckBodySize(uint64_t bytes) {
  const uint64_t limit = scrape_->job->config.body_size_limit;
  if (limit == 0 || bytes < limit) return true;
  scrape_->over_body_limit = true;
  scrape_->error = "body_size_limit exceeded";
  return false;
}

void TargetScraper::OnDone(const HttpOutcome& outcome) {
  scrape_->request = 0;
  if (scrape_->error.empty() && !outcome.ok()) scrape_->error = outcome.message;
  if (scrape_->error.empty() && scrape_->gzip) {
    if (auto whole = scrape_->scratch->gunzip->Finish(); !whole) {
      scrape_->error = std::move(whole.error().message);
    }
  }
  if (scrape_->spans != nullptr) scrape_->spans->OnDone(scrape_->error);
  FinishScrape();
}

void TargetScraper::FinishScrape() {
  // What the scrape used lives until its end here, whatever the configuration has become meanwhile.
  const std::unique_ptr<Scrape> scrape = std::move(scrape_);
  PageReader& reader = *scrape->reader;
  std::string error = scrape->error;
  if (!error.empty()) {
    reader.AbandonPage();
  } else if (!scrape->page_error.empty()) {
    error = scrape->page_error;
    reader.AbandonPage();
  } else if (auto page = reader.FinishPage(); !page) {
    error = std::move(page.error().message);
  }
  const nanoseconds duration = env_.loop.Now() - scrape->started;
  ScrapeReport report;
  report.up = error.empty();
  report.duration_seconds = Seconds(duration);
  report.timeout_seconds = Seconds(scrape->target->timeout);
  report.sample_limit = static_cast<double>(scrape->job->config.sample_limit);
  if (scrape->over_body_limit) {
    report.body_bytes = -1;
  } else if (scrape->error.empty()) {
    report.body_bytes = static_cast<double>(scrape->body_bytes);
  }
  env_.stats.scrapes_failed += !error.empty();
  env_.stats.over_body_limit += scrape->over_body_limit;
  env_.stats.body_bytes += scrape->body_bytes;
  CountTotals(reader.totals());
  if (report.up && reader.totals().dropped > 0) {
    env_.stats.relabel_dropped[scrape->job->config.job_name] += reader.totals().dropped;
  }
  if (scrape->is_own && !is_own_) env_.limits->NoteOwn(layout_.target_key());
  if (report.up) is_own_ = scrape->is_own;
  if (scrape->quota != nullptr) TellOverLimit(*scrape);
  Append(reader.MakeCommit(report));
  SettleQuota();
  if (scrape->spans != nullptr) EndSpans(*scrape, error, report);

  last_scrape_ms_ = scrape->timestamp;
  last_duration_seconds_ = report.duration_seconds;
  health_ = report.up ? TargetStatus::Health::kUp : TargetStatus::Health::kDown;
  if (error != last_error_ && env_.logger.enabled(LogLevel::kDebug)) {
    env_.logger.Debug(error.empty() ? "scrape succeeds again" : "scrape failed",
                      {{"job", scrape->job->config.job_name}, {"err", error}});
  }
  last_error_ = std::move(error);
  env_.scratch.Give(std::move(scrape->scratch));
  if (forget_lines_) layout_.ForgetLines();
  forget_lines_ = false;
  if (std::exchange(tick_waits_, false)) {
    ScrapeFor(AlignedTimestamp(due_wall_ns_ - nanoseconds(target_->interval).count()));
  }
}

void TargetScraper::TellOverLimit(const Scrape& scrape) {
  const uint64_t dropped = scrape.reader->totals().over_series_limit;
  scrape.quota->CountDropped(dropped);
  uint64_t held_back = 0;
  if (dropped > 0 && !was_over_limit_ && env_.series_limit_log.Allow(env_.loop.Now(), held_back)) {
    env_.logger.Warn("new series of a target are dropped: it or its job is at its series_limit",
                     {{"job", scrape.job->config.job_name},
                      {"target", RedactUrl(scrape.target->url)},
                      {"samples", std::to_string(dropped)},
                      {"more_targets", std::to_string(held_back)}});
  }
  was_over_limit_ = dropped > 0;
}

void TargetScraper::EndSpans(const Scrape& scrape, const std::string& error,
                             const ScrapeReport& report) {
  if (!scrape.job->forced_error.empty()) return scrape.spans->EndUnmade();
  const PageTotals& totals = scrape.reader->totals();
  scrape.spans->End({totals.lines_total, totals.samples_added, totals.series_added,
                     static_cast<int64_t>(report.body_bytes), error});
}

void TargetScraper::CountTotals(const PageTotals& totals) {
  ScrapeStats& stats = env_.stats;
  stats.duplicates += totals.duplicates;
  stats.out_of_order += totals.out_of_order;
  stats.out_of_bounds += totals.out_of_bounds;
  stats.over_sample_limit += totals.over_sample_limit;
  stats.over_label_limit += totals.over_label_limit;
  stats.over_bucket_limit += totals.over_bucket_limit;
  stats.exemplars_invalid += totals.exemplars_invalid;
}

void TargetScraper::Append(Commit commit) {
  SampleCounts counts;
  for (const GroupSamples& group : commit.groups) counts += group.counts();
  if (counts.total() == 0) return;
  env_.log.Append(std::move(commit));
  env_.stats.appended += counts;
}

TargetStatus TargetScraper::status() const {
  TargetStatus status;
  status.discovered_labels = UnpackLabels(target_->discovered_labels);
  status.labels = target_->labels;
  status.scrape_pool = job_->config.job_name;
  status.scrape_url = RedactUrl(target_->url);
  status.last_error = last_error_;
  status.last_scrape_ms = last_scrape_ms_;
  status.last_scrape_duration_seconds = last_duration_seconds_;
  status.health = health_;
  status.scrape_interval = FormatDuration(target_->interval);
  status.scrape_timeout = FormatDuration(target_->timeout);
  return status;
}

}  // namespace tributary
