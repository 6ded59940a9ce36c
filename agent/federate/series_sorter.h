// The series that a request for /federate selects, in the order of the page, in bounded memory.
//
// Definitions are sorted otherwise than the page, and are compressed: so the sorter goes over all
// of them, keeps the lowest that fit into its memory, gives these out, and goes over them again for
// what comes next. Which series are selected is found out once and kept as a bit each; groups that
// have nothing left are passed over.
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
  struct Group {
    LatestOfGroup latest;
    std::vector<uint64_t> selected;  // a bit for each series; empty: not looked at yet
    uint32_t left = 0;               // selected, and not given out
  };
  struct Entry {
    size_t offset = 0;  // of its key
    uint32_t size = 0;
    uint32_t group = 0;
    LatestSample sample;
  };

  void Pass();
  void Take(uint32_t number);
  bool Selects(const LatestSample& sample) const;
  void Offer(uint32_t number, const LatestSample& sample);
  // Drops the higher half of what is kept.
  void Cut();
  std::string NameOf(std::string_view key);
  size_t bytes() const { return keys_.size() + entries_.size() * sizeof(Entry); }
  std::string_view KeyOf(const Entry& entry) const {
    return std::string_view(keys_).substr(entry.offset, entry.size);
  }
  std::vector<SortedSeries> GiveOut();

  const SeriesSorterOptions options_;
  const std::vector<SeriesSelector> selectors_;
  std::vector<Group> groups_;
  std::string keys_;
  std::vector<Entry> entries_;
  // Given out is all up to and with the one key; what is above the other does not fit. "": none.
  std::string last_, limit_;
  std::string last_name_, limit_name_;  // their metrics' names
  bool done_ = false;
  uint64_t passes_ = 0;
  size_t bytes_peak_ = 0;
  std::vector<LabelView> labels_;  // scratch, as are these
  std::vector<LatestSample> of_group_;
  std::deque<std::string> texts_;
};

}  // namespace tributary
