// Makes a native histogram with custom buckets (NHCB) of the series of a classic one:
// convert_classic_histograms_to_nhcb.
// Follows prometheus/prometheus util/convertnhcb/convertnhcb.go (3.16). Not thread-safe; reused, it
// allocates nothing.
//
// For the protobuf format ProtobufSeriesReader does all of this. In the text formats the series of
// a histogram are lines, and somebody has to collate them. The rules are those of
// model/textparse/nhcbparse.go:
//
//   State: the last TYPE line (family and type); whether a histogram is being collected, and if so
//   its base name and the hash of its labels without __name__ and le (as rewritten by the parser).
//
//   1. A series is *part of a classic histogram* if the last TYPE is histogram, and its name is
//   that
//      TYPE's family with _bucket, _count or _sum; a _bucket also needs a label le which is a float
//      (ParseGoFloat) and no NaN. All other series go through as they are, and do not end a
//      collection unless 2 says so.
//   2. Before each series, while collecting: it *belongs to another* if the last TYPE is not
//   histogram,
//      or its name (less one of the suffixes _bucket, _sum, _count, tried in this order) or its
//      other labels differ from those collected. Then the collected histogram is emitted, before
//      that series.
//   3. Every other entry (TYPE, HELP, UNIT, a comment, the end of the page) also emits it, before
//      that entry. An error of the page does not: it is lost with the page.
//   4. The first part begins a collection: it sets the labels of the histogram (its own, __name__
//   the
//      base name, without le) and, if start times are read, the start time. Parts are given to the
//      builder as they come: SetBucket(le, value), SetCount, SetSum; the same le again is ignored.
//   5. Emitting: Build. If it fails, nothing is emitted, and no error told: the scrape goes on.
//   Parts
//      that had been held back are lost then.
//   6. Parts are handed out as series only if always_scrape_classic_histograms, each at its place,
//   so
//      before the histogram; else they are swallowed (not counted as scraped either). The series
//      that made 2 emit is looked at afresh after it: it may begin the next collection.
//   7. The exemplars of the parts become those of the histogram, in their order, and the parts, if
//      they are handed out, have none any more. As with any histogram, exemplars without a
//      timestamp are then dropped.
//   8. The histogram's timestamp is that of the series read last when it is emitted: in 2 that is
//   the
//      one that belongs to another, which only shows on pages with timestamps that differ.
//   9. A native histogram on the page (OpenMetrics 1.0 and the text format have none) drops what is
//      collected, and keeps its own classic series, which follow it, from being collected.
//
//   Gauge histograms are not converted there; in the protobuf format they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/histogram/native_histogram.h"

namespace tributary {

class NhcbBuilder {
 public:
  // Forgets everything; keeps memory.
  void Reset();

  // What a classic histogram's series say. Buckets may come in any order, of equal bounds the first
  // counts. The first thing wrong (a NaN bound, a negative count, a count that is not cumulative)
  // is kept, and Build will fail with it.
  void SetBucket(double upper_bound, double cumulative_count);
  void SetCount(double count);
  void SetSum(double sum) { sum_ = sum; }

  // The histogram, compacted and validated: of integers if all counts are, else of floats. Without
  // SetCount the count is the last bucket's. An error: one of the above, no buckets and no count,
  // or a count that is not that of the bucket +Inf. The reset hint is unknown. Reset comes next.
  Status Build(NativeHistogram& out);

 private:
  struct Bucket {
    double upper_bound = 0, count = 0;
  };

  void Insert(double upper_bound, double count);
  bool AllIntegers() const;
  void FillIntegers(NativeHistogram& out) const;
  void FillFloats(NativeHistogram& out) const;

  std::vector<Bucket> buckets_;  // by bound
  double count_ = 0, sum_ = 0;
  bool has_count_ = false;
  std::string problem_;
};

}  // namespace tributary
