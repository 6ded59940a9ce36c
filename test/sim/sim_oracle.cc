#include "test/sim/sim_oracle.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "agent/series/samples.h"

namespace tributary {

namespace {

bool Same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

std::string SeriesKey(const TargetLife& life, uint32_t series) {
  return fmt::format("{}|10.0.0.{}:9100|sim_value_{}|{}", life.job, life.id, series % 3, series);
}

}  // namespace

bool TargetLife::Settled(MonotonicTime from, MonotonicTime to) const {
  return std::none_of(unsettled.begin(), unsettled.end(), [&](const auto& stretch) {
    return stretch.first <= to && from <= stretch.second;
  });
}

Oracle::Oracle(World& world, std::vector<TargetLife> targets)
    : world_(world), targets_(std::move(targets)) {
  for (const TargetLife& life : targets_) ExpectScrapes(life);
}

const TargetLife* Oracle::Life(uint32_t target) const {
  auto it = std::find_if(targets_.begin(), targets_.end(),
                         [&](const TargetLife& life) { return life.id == target; });
  return it == targets_.end() ? nullptr : &*it;
}

void Oracle::Expect(const std::string& key, const ScrapeTrace& trace, double value) {
  const Expected expected{value, false, world_.doubts().At(trace.ended)};
  auto [it, is_new] = expected_[key].try_emplace(trace.due_ms, expected);
  if (!is_new) it->second.ambiguous = true;
}

bool Oracle::IsExpected(const std::string& key, TimestampMs timestamp) const {
  auto it = expected_.find(key);
  return it != expected_.end() && it->second.contains(timestamp);
}

void Oracle::ReportMissing(const SimRemote& remote, const Missing& missing) {
  const uint64_t counted = world_.CountedLosses(remote);
  if (missing.size() <= counted) return;
  world_.Problem(fmt::format("{}: {} samples are missing, {} were counted as lost", remote.host(),
                             missing.size(), counted));
  for (const std::string& sample : missing) world_.Problem(remote.host() + ": " + sample);
}

void Oracle::ExpectScrapes(const TargetLife& life) {
  const SimTarget& target = *world_.Target(life.id);
  const ScrapeTrace* last = nullptr;
  std::vector<uint32_t> before;
  for (const ScrapeTrace& trace : world_.Scrapes(life.id)) {
    if (trace.cancelled) continue;
    // What a process has scraped the next one does not know.
    const bool known = last != nullptr && last->process == trace.process;
    const bool settled = known && life.Settled(last->started, trace.started);
    if (settled && trace.due_ms <= last->due_ms) {
      world_.Problem(fmt::format("target {} was scraped for {} after {}", life.id, trace.due_ms,
                                 last->due_ms));
    }
    Expect(fmt::format("{}|{}|up|", life.job, target.address()), trace, trace.up ? 1 : 0);
    // As Prometheus: what stands on a page that turns out to be unreadable is not stored, but it
    // has not vanished either.
    std::vector<uint32_t> now;
    if (trace.up || trace.garbage) now = target.scrapes()[trace.number - 1].series;
    for (uint32_t series : now) {
      if (!trace.up) break;
      Expect(SeriesKey(life, series), trace, PageValue{life.id, series, trace.number}.Encode());
    }
    for (uint32_t series : before) {
      if (settled && !std::binary_search(now.begin(), now.end(), series)) {
        Expect(SeriesKey(life, series), trace, StaleNan());
      }
    }
    before = std::move(now);
    last = &trace;
  }
}

void Oracle::CheckSchedule() {
  for (const TargetLife& life : targets_) {
    const ScrapeTrace* last = nullptr;
    for (const ScrapeTrace& trace : world_.Scrapes(life.id)) {
      const bool known = last != nullptr && last->process == trace.process;
      if (known && life.Settled(last->started, trace.started)) {
        const nanoseconds apart = trace.started - last->started;
        // After the clock went back, scrapes that would not be later are left out.
        const bool skipped = world_.scrape_stats().skipped_clock > 0;
        if (skipped ? apart % life.interval != nanoseconds(0) : apart != life.interval) {
          world_.Problem(fmt::format("target {} was scraped after {:.6f} s", life.id,
                                     std::chrono::duration<double>(apart).count()));
        }
      }
      last = &trace;
    }
  }
}

void Oracle::CheckWitness(const SimRemote& remote) {
  Missing missing;
  for (const auto& [key, samples] : expected_) {
    const StoredSeries* series = remote.Find(key);
    for (const auto& [timestamp, expected] : samples) {
      if (expected.ambiguous) continue;
      if (series == nullptr || !series->samples.contains(timestamp)) {
        if (expected.in_doubt) continue;
        missing.push_back(fmt::format("{} at {} = {} is missing", key, timestamp, expected.value));
      } else if (!Same(series->samples.at(timestamp).value, expected.value)) {
        // A target that is gone is forgotten: where the clock went back, a new one may be scraped
        // for the very time at which the end of the old one was marked.
        if (remote.clock_went_back && IsStaleNan(series->samples.at(timestamp).value)) continue;
        world_.Problem(fmt::format("{} at {} is {}, not {}", key, timestamp,
                                   series->samples.at(timestamp).value, expected.value));
      }
    }
  }
  ReportMissing(remote, missing);
  for (const auto& [key, series] : remote.series()) {
    const bool of_page = series.sid != 0 && series.name != "sim_own";
    if (!of_page && series.name != "up") continue;
    for (const auto& [timestamp, sample] : series.samples) {
      if (IsExpected(key, timestamp)) continue;
      // The marks of targets that went: the oracle does not know their times.
      const TargetLife* life = Life(series.target);
      if (IsStaleNan(sample.value) && life != nullptr && !life->unsettled.empty()) continue;
      world_.Problem(fmt::format("{} at {} = {} came from nowhere", key, timestamp, sample.value));
    }
  }
}

void Oracle::CheckAgainstWitness(
    const SimRemote& witness, const SimRemote& remote,
    const std::function<bool(const StoredSeries&, const StoredSeries::Sample&)>& may_lack) {
  Missing missing;
  for (const auto& [key, series] : witness.series()) {
    const StoredSeries* stored = remote.Find(key);
    for (const auto& [timestamp, sample] : series.samples) {
      if (stored != nullptr && stored->samples.contains(timestamp)) {
        const double value = stored->samples.at(timestamp).value;
        if (!Same(value, sample.value) && !remote.clock_went_back) {
          world_.Problem(fmt::format("{}: {} at {} is {}, not {}", remote.host(), key, timestamp,
                                     value, sample.value));
        }
      } else if (!may_lack(series, sample) && !world_.doubts().At(sample.stored)) {
        missing.push_back(fmt::format("{} at {} = {} is missing", key, timestamp, sample.value));
      }
    }
  }
  ReportMissing(remote, missing);
  // What the witness has lost another may have.
  if (world_.CountedLosses(witness) > 0) return;
  for (const auto& [key, series] : remote.series()) {
    const StoredSeries* known = witness.Find(key);
    for (const auto& [timestamp, sample] : series.samples) {
      const bool is_known = known != nullptr && known->samples.contains(timestamp);
      if (!is_known && !world_.doubts().At(sample.stored)) {
        world_.Problem(fmt::format("{}: {} at {} = {} came from nowhere", remote.host(), key,
                                   timestamp, sample.value));
      }
    }
  }
}

}  // namespace tributary
