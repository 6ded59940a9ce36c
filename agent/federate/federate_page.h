// A page of /federate, made piece by piece as its client takes it. One thread, any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/federate/family_writer.h"
#include "agent/federate/federate_form.h"
#include "agent/federate/series_sorter.h"
#include "common/compress/gzip_stream.h"

namespace tributary {

// What a page is made of: all workers' latest samples, as they were at one time.
struct FederateSource {
  std::vector<LatestOfGroup> groups;
  TimestampMs now = 0;
  TimestampMs look_back_ms = 0;
  Labels external_labels;
};

class FederatePage {
 public:
  FederatePage(FederateSource source, std::vector<SeriesSelector> selectors, FederateForm form,
               bool gzip);

  // Puts the next piece, some 64 KiB, into `piece`; false: that was all. A piece may take as long
  // as going over all definitions: a third of a second for a million series.
  bool Next(std::string& piece);

  uint64_t series() const { return series_written_; }
  uint64_t passes() const { return sorter_.passes(); }
  size_t bytes_peak() const { return sorter_.bytes_peak(); }

 private:
  SeriesSorter sorter_;
  FamilyWriter writer_;
  std::unique_ptr<GzipStream> gzip_;  // null: it goes out as it is
  std::vector<SortedSeries> batch_;
  size_t in_batch_ = 0;
  std::string plain_;  // what is not compressed yet
  uint64_t series_written_ = 0;
  bool ended_ = false;
};

}  // namespace tributary
