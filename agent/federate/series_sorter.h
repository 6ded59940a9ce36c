// The series that a request for /federate selects, in the order of the page, in bounded memory.
//
// Definitions are sorted otherwise than the page, and are compressed: so the sorter goes over all
// of them, keeps the lowest that fit into its memory, gives these out, and goes over them again for
// what comes next. The first pass finds out which series are selected and how much each metric has;
// the others take as many metrics as fit, and read the labels of these only. Beside what is kept it
// takes 2 bytes a series, and the names of metrics.
//
// Order: by metric name, then label by label (names and values), bytewise; Prometheus has the same,
// unless a label's name sorts before __name__. Series without a name are left out. Of several
// groups' samples of one series the latest counts, and none if that says that the series has ended.
// One thread, any: what it reads is immutable.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/latest/latest_snapshot.h"
#include "common/selector/series_selector.h"

namespace tributary {

struct SortedSeries {
  std::string_view key;  // for ReadSeriesKey
  TimestampMs timestamp = 0;
  double value = 0;
  const HistogramSample* histogram = nullptr;  // null: a float
};

// The metric's name and the labels of a key, as views into it or into `texts`, which gets what is
// written otherwise in the key (texts with NULs). What labels and texts had before is gone.
void ReadSeriesKey(std::string_view key, std::string_view& name, std::vector<LabelView>& labels,
                   std::deque<std::string>& texts);

struct SeriesSorterOptions {
  TimestampMs now = 0;           // later samples do not count
  TimestampMs look_back_ms = 0;  // nor do those before now - look_back_ms
  // Of what is kept at a time. It may be more if so much is one series' alone.
  size_t bytes_max = 16 << 20;
};

class SeriesSorter {
 public:
  SeriesSorter(std::vector<LatestOfGroup> groups, std::vector<SeriesSelector> selectors,
               const SeriesSorterOptions& options);

  // The next series of the page, some or many; none: that was all. Valid until the next call.
  std::vector<SortedSeries> Next();

  // How often it went over the definitions.
  uint64_t passes() const { return passes_; }
  // The most that was kept at a time.
  size_t bytes_peak() const { return bytes_peak_; }

 private:
  // A metric, by the order of first sight, or one of these.
  using NameId = uint16_t;
  static constexpr NameId kNotSelected = 0xffff;  // or given out
  static constexpr NameId kOtherName = 0xfffe;    // there are too many names
  static constexpr size_t kNamesMax = 50'000;

  struct Group {
    LatestOfGroup latest;
    std::vector<NameId> names;  // by series; empty: nothing is left
    uint32_t left = 0;          // selected, and not given out
  };
  struct Entry {
    uint32_t offset = 0, size = 0;  // of its key
    uint32_t group = 0, index = 0;
    LatestSample sample;
  };
  struct Metric {
    std::string name;
    uint64_t bytes = 0;  // of its series' entries that are left
    uint32_t rank = 0;   // among all, by name; known after the first pass
  };

  void Select(uint32_t number);
  bool IsSelected(const LatestSample& sample) const;
  NameId IdOf(std::string_view name);
  void RankMetrics();
  void ChooseMetrics();
  void Take(uint32_t number);
  bool MayFit(NameId id) const {
    return id < metrics_.size() ? metrics_[id].rank <= limit_rank_ : id == kOtherName;
  }
  // Keeps the series whose labels are in labels_, if it fits.
  void Offer(uint32_t number, uint32_t index, const LatestSample& sample);
  // Drops the higher half of what is kept.
  void Cut();
  void Done(const Entry& entry);
  // Of the series whose labels are in labels_.
  size_t EntryBytes() const;
  size_t bytes() const { return keys_.size() + entries_.size() * sizeof(Entry); }
  std::string_view KeyOf(const Entry& entry) const {
    return std::string_view(keys_).substr(entry.offset, entry.size);
  }
  std::vector<SortedSeries> GiveOut();

  const SeriesSorterOptions options_;
  const std::vector<SeriesSelector> selectors_;
  std::vector<Group> groups_;
  uint64_t left_ = 0;  // of all groups
  std::vector<Metric> metrics_;
  boost::unordered_flat_map<std::string, NameId> ids_;
  std::vector<NameId> by_rank_;
  std::string keys_;
  std::vector<Entry> entries_;
  // What is above does not fit, in this pass. "": no limit.
  std::string limit_, limit_name_;
  uint32_t limit_rank_ = 0xffffffff;
  uint64_t passes_ = 0;
  size_t bytes_peak_ = 0;
  PackedCursor cursor_;  // scratch, as are these
  std::vector<LabelView> labels_;
  std::vector<LatestSample> of_group_;
  std::deque<std::string> texts_;
  std::string name_;
};

}  // namespace tributary
