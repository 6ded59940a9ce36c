// What the scrapers of one worker share. One thread (the worker's loop).
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/layout/page_reader.h"
#include "agent/limits/series_limits.h"
#include "agent/log/sample_log.h"
#include "agent/logging/logger.h"
#include "agent/memory/memory_guard.h"
#include "agent/series/metadata_pool.h"
#include "agent/telemetry/metric_sink.h"
#include "agent/tracing/tracer.h"
#include "common/base/hash.h"
#include "common/compress/inflate.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"

namespace tributary {

// Scratch of one scrape under way.
struct ScrapeScratch {
  ScrapeBuffer buffer;
  std::unique_ptr<Gunzip> gunzip;  // made when a target first compresses
};

// Hands scratch out and takes it back; keeps a few for the next scrapes.
class ScratchPool {
 public:
  std::unique_ptr<ScrapeScratch> Take();
  void Give(std::unique_ptr<ScrapeScratch> scratch);

 private:
  std::vector<std::unique_ptr<ScrapeScratch>> free_;
};

struct ScrapeStats {
  uint64_t scrapes = 0, scrapes_failed = 0;
  SampleCounts appended;
  uint64_t skipped_clock = 0;  // not later than the target's last scrape
  // Because memory is short: targets that are new, pages with many new series, whole scrapes.
  uint64_t shed_targets = 0, shed_pages = 0, shed_scrapes = 0;
  uint64_t skipped_ticks = 0;  // due while the one before was still under way
  uint64_t over_sample_limit = 0, over_body_limit = 0, over_label_limit = 0;
  uint64_t over_bucket_limit = 0;
  uint64_t duplicates = 0, out_of_order = 0, out_of_bounds = 0;
  uint64_t exemplars_invalid = 0;
  uint64_t body_bytes = 0;
  std::map<std::string, Histogram> interval_lengths;  // seconds, by configured interval
  // By metric_relabel_configs, of pages that were taken; by job, as long as there is one.
  std::map<std::string, uint64_t> relabel_dropped;
};

struct ScrapeEnvironment {
  EventLoop& loop;
  HttpTransport& transport;
  FileSystem& files;
  SampleLog& log;
  MetadataPool& metadata;
  Logger& logger;
  const HashKey& hash;
  uint64_t offset_seed = 0;
  // Of targets that are new: above those of all targets that are gone, as what they had may still
  // be being sent when one with the same series comes, and generations are what keeps those in
  // order.
  uint32_t first_generation = 1;
  // Where series' families are kept; null: no remote wants them.
  MetadataPool* series_families = nullptr;
  ScratchPool scratch;
  ScrapeStats stats;
  Tracer* tracer = nullptr;                        // null: nothing is traced
  const std::atomic<ShedStep>* shed = nullptr;     // null: memory has no limit
  std::function<void()> look_at_memory = nullptr;  // so that `shed` is that of now; null: none
  SeriesLimits* limits = nullptr;                  // null: nothing tells which page is our own
  LogLimiter series_limit_log{seconds(60)};
  bool sheds(ShedStep step) const { return shed != nullptr && shed->load() >= step; }
};

}  // namespace tributary
