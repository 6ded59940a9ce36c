// What a target's pages look like: the lines known, the series they stand for, and their groups.
//
// Every series has a *place*: its number in the target. Groups hold consecutive places and begin at
// multiples of 64, so that a group's part of a bitmap over places is whole words. A PageIntake
// changes the layout while it reads a page; between two scrapes the layout is at rest. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/layout/bitmap.h"
#include "agent/layout/known_lines.h"
#include "agent/layout/last_times.h"
#include "agent/layout/scrape_buffer.h"
#include "agent/series/group_definition.h"
#include "agent/series/metadata_pool.h"
#include "agent/series/report_series.h"
#include "common/base/time.h"

namespace tributary {

class TargetLayout {
 public:
  struct Group {
    GroupRef definition;
    uint32_t first_place = 0;
    // As of the last page; null: none is known.
    std::shared_ptr<const StartTimes> starts;
    // Null: nothing is known, or nobody wants to know.
    std::shared_ptr<const SeriesMetadata> metadata;
  };

  // `first_generation` is above all that an earlier layout of the target had.
  explicit TargetLayout(uint64_t target_key, uint32_t first_generation = 1)
      : target_key_(target_key), generation_(first_generation) {
    report_.fill(kNoPlace);
  }

  uint64_t target_key() const { return target_key_; }
  uint32_t generation() const { return generation_; }
  const std::vector<Group>& groups() const { return groups_; }
  const KnownLines& lines() const { return lines_; }
  size_t families() const { return families_.size(); }
  // Series in all, those that are absent at the moment included.
  size_t series() const { return series_; }
  // Those that count towards a limit: neither report series, nor gone.
  size_t active_series() const;
  // Time of the last scrape that was committed; 0 before the first.
  TimestampMs last_scrape_ms() const { return last_scrape_ms_; }

  // Forgets which lines there are but not the series: the next page is read as if new, and series
  // that it does not have are marked as ended. For a target that comes back, or whose rules
  // changed.
  void ForgetLines();

  // Forgets which HELP and TYPE lines were read, so that they are read again.
  void ForgetComments();

  // Forgets so many of the lines that were dropped for a limit: on the next page their series ask
  // for room again.
  void ForgetOverLimit(uint64_t count) {
    if (has_over_limit_ && count > 0) has_over_limit_ = lines_.ForgetOverLimit(count);
  }

  // From the next page on it is to be known which lines speak of which family.
  void TellFamiliesOfLines() {
    if (family_of_line_.empty() && !families_.empty()) ForgetComments();
  }

  // Whether the series with these packed labels was on the last page, or is a report series. Reads
  // the definitions: not for the hot path.
  bool Has(std::string_view packed) const;

  // Heap in use, roughly.
  size_t memory_bytes() const;

  static constexpr uint32_t kNoPlace = 0xffffffff;
  // Successful scrapes in a row without a series after which it is gone: it leaves at the next
  // regrouping, and counts as new if it comes before.
  static constexpr uint8_t kAbsencesMax = 3;

 private:
  friend class PageIntake;
  friend class LayoutBuilder;
  friend class ReceivedSource;  // agent/receive
  static constexpr uint8_t kNoFormat = 0xff;
  bool IsGone(uint32_t place) const {
    auto it = absences_.find(place);
    return it != absences_.end() && it->second >= kAbsencesMax;
  }
  friend void SettleSeriesFamilies(TargetLayout& layout, MetadataPool& pool);

  uint64_t target_key_;
  uint32_t generation_;
  uint32_t place_end_ = 0;  // one more than the highest place
  size_t series_ = 0;
  TimestampMs last_scrape_ms_ = 0;
  size_t lines_at_success_ = 0;
  KnownLines lines_;
  // The format in which all of them were read; kNoFormat: several, or none.
  uint8_t lines_format_ = kNoFormat;
  bool has_over_limit_ = false;  // there may be lines that are KnownLines::kOverLimit
  std::vector<Group> groups_;
  // Series whose end has to be marked once they are missing (scrape.go seriesPrev).
  Bitmap tracked_;
  std::array<uint32_t, kReportSeries> report_;
  // Latest time of the places for which it is not page_time_ms_: absent ones, and those that had
  // samples with own timestamps. Report series have last_scrape_ms_ unless they stand here.
  LastTimes last_times_;
  TimestampMs last_times_max_ = LastTimes::kNever;
  // Time of the last scrape that had samples or markers for series of the page.
  TimestampMs page_time_ms_ = LastTimes::kNever;
  // How many successful pages in a row did not name a place.
  boost::unordered_flat_map<uint32_t, uint8_t> absences_;
  boost::unordered_flat_map<uint64_t, FamilyRef> families_;  // by hash of the family's name
  // Of the lines that speak of a family, by the line's hash: that of the family's name. Only where
  // series' families are wanted, as is whether the groups' metadata is that of the last good page.
  boost::unordered_flat_map<uint64_t, uint64_t> family_of_line_;
  bool families_settled_ = false;
  boost::unordered_flat_map<uint32_t, ExemplarMark> exemplars_;  // by place: the last one taken
};

}  // namespace tributary
