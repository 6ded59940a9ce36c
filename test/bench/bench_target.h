// A target as benchmarks scrape it: its pages, and the one that reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/layout/page_reader.h"
#include "agent/limits/target_quota.h"
#include "common/compress/inflate.h"

namespace tributary {

enum class BenchSeries : uint8_t {
  kLong,       // 12 labels, as cAdvisor writes them; a line of the page has 264 bytes
  kShort,      // one label
  kFederated,  // as kLong, with `instance` and `job` among the labels
};

// What the page of a target has; pages are written before they are timed.
class BenchTarget {
 public:
  BenchTarget(BenchSeries kind, size_t lines);

  // Replaces so many series by new ones.
  void Churn(size_t count);
  // Another order of the lines.
  void Shuffle();
  // The values change from page to page.
  std::string Page(PageFormat format);
  // Part of a page in the text format, from line `at` on; at least one line, then no more than
  // `bytes_max`. Moves `at`. `timestamp`: each line has one of its own in the 15 s before; 0: none.
  void AppendText(size_t& at, size_t bytes_max, TimestampMs timestamp, std::string& text) const;
  void NextRound() { round_++; }

 private:
  struct Line {
    std::string series;  // as the text format writes it
    size_t number;
  };

  uint64_t ValueOf(const Line& line) const;
  std::string ProtobufPage() const;

  BenchSeries kind_;
  std::mt19937_64 random_{1};
  std::vector<Line> lines_;
  size_t next_;
  size_t round_ = 0;
};

std::string GzipOf(std::string_view page);

// Reads pages against one layout, commit included, as a scrape does.
class BenchScraper {
 public:
  static constexpr size_t kPiece = 64 << 10;
  static constexpr TimestampMs kInterval = 15'000;

  explicit BenchScraper(PageFormat format, ScrapeRules rules = {})
      : format_(format), rules_(std::move(rules)) {}

  // So many series may there be.
  void SetSeriesLimit(uint64_t limit) {
    auto each_target = std::make_shared<SeriesLimit>(LimitScope::kTarget, "bench");
    each_target->SetLimit(limit);
    quota_ = std::make_unique<TargetQuota>(std::move(each_target), nullptr);
  }

  // One scrape; `page` in pieces, as it would come.
  void Scrape(std::string_view page);
  void ScrapeGzip(std::string_view body);
  // The same, by hand: its end behind the last piece.
  PageReader Begin();
  void End(PageReader& reader);

  // Time of the last scrape.
  TimestampMs now_ms() const { return timestamp_; }
  // In the commit of the last scrape.
  uint64_t samples() const;
  const TargetLayout& layout() const { return layout_; }
  bool good() const { return good_; }  // no page was refused
  // Made by the last scrape.
  uint64_t allocations() const { return allocations_; }

 private:
  const PageFormat format_;
  const ScrapeRules rules_;
  TargetLayout layout_{1};
  Labels target_{{"instance", "10.0.0.1:9100"}, {"job", "node"}};
  HashKey hash_ = HashKey::FromSeed(1);
  MetadataPool pool_;
  ScrapeBuffer buffer_;
  Gunzip gunzip_;
  Commit commit_;
  std::unique_ptr<TargetQuota> quota_;
  TimestampMs timestamp_ = 1'700'000'000'000;
  uint64_t allocations_ = 0;
  bool good_ = true;
};

}  // namespace tributary
