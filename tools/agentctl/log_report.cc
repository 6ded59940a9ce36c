#include "tools/agentctl/log_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/wire/histogram.h"
#include "tools/agentctl/label_input.h"
#include "tools/agentctl/time_text.h"
#include "tools/agentctl/value_text.h"

namespace tributary {
namespace {

std::string CountsText(const SampleCounts& counts) {
  std::string out = fmt::format("{} samples", counts.samples);
  if (counts.histograms > 0) out += fmt::format(", {} histograms", counts.histograms);
  if (counts.exemplars > 0) out += fmt::format(", {} exemplars", counts.exemplars);
  return out;
}

bool Wants(const LogQuery& query, uint32_t partition) {
  return !query.partition || *query.partition == partition;
}

// Of a segment with a footer, the header and what stands before the end of its first commit; of
// others all.
Result<SegmentScan> LookAt(Disk& disk, const SegmentFacts& facts) {
  if (!facts.segment.closed) return ScanSegment(disk, facts, {});
  constexpr uint64_t kFirstBytes = 1 << 20;
  ScanHandlers handlers;
  handlers.end = kFirstBytes;
  auto scan = ScanSegment(disk, facts, handlers);
  if (!scan) return scan;
  scan->summary = facts.segment.summary;
  scan->unfinished_bytes = 0;
  return scan;
}

std::string SegmentText(const SegmentFacts& facts, const SegmentScan& scan) {
  const SegmentSummary& summary = scan.summary;
  std::string out =
      fmt::format("  segment {}{}: {} bytes, {} records, {}", facts.segment.header.sequence,
                  facts.segment.closed ? "" : " (open)", facts.segment.file_bytes, summary.records,
                  CountsText(Over(summary.end, facts.segment.header.before)));
  if (summary.records > 0) {
    out += fmt::format(", positions {} to {}, {} to {}", summary.first, summary.last,
                       FormatTime(scan.first_ms), FormatTime(summary.last_ms));
  }
  if (scan.unfinished_bytes > 0) {
    out += fmt::format(", {} bytes of a commit that has not ended", scan.unfinished_bytes);
  }
  if (facts.empty) out += ", not begun yet";
  out += "\n";
  if (facts.header_damage) out += "    " + DamageText(*facts.header_damage) + "\n";
  return out;
}

std::string CursorText(const CursorFacts& cursor, const SampleCounts& end) {
  if (!cursor.state) return fmt::format("  {}: damaged\n", cursor.path);
  const CursorState& state = *cursor.state;
  std::string out = fmt::format(
      "  remote {}: done with all before {}, backlog {}, read up to {}, since {}\n", state.reader,
      state.low, CountsText(Over(Over(end, state.before_low), state.in_done)), state.handed_out,
      FormatTime(state.since_ms));
  constexpr size_t kRangesShown = 5;
  for (size_t i = 0; i < std::min(state.done.size(), kRangesShown); i++) {
    out += fmt::format("    and with {} to {}\n", state.done[i].first, state.done[i].second);
  }
  if (state.done.size() > kRangesShown) {
    out += fmt::format("    and with {} more ranges\n", state.done.size() - kRangesShown);
  }
  return out;
}

// Runs `f(facts)` for the partitions that are wanted, until it returns an error.
template <typename F>
Status ForEachPartition(Disk& disk, const LogFolder& folder, const LogQuery& query, F f) {
  for (uint32_t partition = 0; partition < folder.partitions; partition++) {
    if (!Wants(query, partition)) continue;
    auto facts = ReadPartitionFacts(disk, folder, partition);
    if (!facts) return Fail(facts.error().message);
    if (Status status = f(*facts); !status) return status;
  }
  return {};
}

// One that has gone while others were read is none.
template <typename T>
Result<std::optional<T>> UnlessGone(Disk& disk, const SegmentFacts& facts, Result<T> result) {
  if (result) return std::optional<T>(std::move(*result));
  const SegmentHeader& header = facts.segment.header;
  auto again = ReadSegmentFacts(disk, facts.segment.path, header.partition, header.sequence);
  if (again && !*again) return std::optional<T>();
  return Fail(result.error().message);
}

class Dumper {
 public:
  Dumper(const LogQuery& query, const LineSink& sink) : query_(query), sink_(sink) {}

  bool Dump(const GroupSamples& samples) {
    lines_.clear();
    labels_ = samples.group->Decode();
    texts_.assign(labels_.size(), "");
    size_t value = 0;
    for (uint32_t i = 0; i < labels_.size(); i++) {
      if (!samples.Has(i)) continue;
      AddFloat(i, samples.values[value++], samples.timestamp);
    }
    for (const OwnSample& own : samples.own) AddFloat(own.index, own.value, own.timestamp);
    if (samples.irregular != nullptr) {
      for (const HistogramSample& sample : samples.irregular->histograms) {
        Add(sample.index, sample.timestamp, HistogramLine(sample));
      }
      for (const ExemplarSample& sample : samples.irregular->exemplars) {
        Add(sample.index, sample.timestamp,
            fmt::format("# {} {}", FormatSeries(UnpackLabels(sample.labels)),
                        FormatValue(sample.value)));
      }
    }
    return lines_.empty() || sink_(lines_);
  }

 private:
  bool Matches(uint32_t index) const {
    return std::all_of(query_.labels.begin(), query_.labels.end(), [&](const auto& label) {
      return labels_[index].Get(label.first) == label.second;
    });
  }
  static std::string HistogramLine(const HistogramSample& sample) {
    NativeHistogram histogram;
    const bool read = DecodeHistogram(sample.encoded, histogram);
    return read && IsStaleNan(histogram.sum) ? "stale" : HistogramText(sample.encoded);
  }
  void AddFloat(uint32_t index, double value, TimestampMs timestamp) {
    Add(index, timestamp, IsStaleNan(value) ? "stale" : FormatValue(value));
  }
  void Add(uint32_t index, TimestampMs timestamp, const std::string& what) {
    if (query_.from && timestamp < *query_.from) return;
    if (query_.to && timestamp > *query_.to) return;
    if (!Matches(index)) return;
    std::string& text = texts_[index];
    if (text.empty()) text = FormatSeries(labels_[index]);
    fmt::format_to(std::back_inserter(lines_), "{} {} {}\n", text, what, timestamp);
  }

  const LogQuery& query_;
  const LineSink& sink_;
  std::vector<Labels> labels_;
  std::vector<std::string> texts_;
  std::string lines_;
};

}  // namespace

std::string DamageText(const LogDamage& damage) {
  return fmt::format("{}: at {}: {} bytes: {}", damage.path, damage.offset, damage.bytes,
                     damage.what);
}

Status InspectLog(Disk& disk, const LogFolder& folder, const LogQuery& query,
                  const LineSink& sink) {
  sink(fmt::format("{}: sample log of version {} in {} partitions\n", folder.path, folder.version,
                   folder.partitions));
  uint64_t bytes = 0, segments = 0;
  const Status done = ForEachPartition(disk, folder, query, [&](const PartitionFacts& facts) {
    sink(fmt::format("\npartition {}: {} segments, {} remotes\n", facts.partition,
                     facts.segments.size(), facts.cursors.size()));
    SampleCounts end;
    for (const SegmentFacts& segment : facts.segments) {
      auto scan = UnlessGone(disk, segment, LookAt(disk, segment));
      if (!scan) return Status(Fail(scan.error().message));
      if (!*scan) continue;
      if ((*scan)->summary.records > 0) end = (*scan)->summary.end;
      bytes += segment.segment.file_bytes;
      segments++;
      sink(SegmentText(segment, **scan));
    }
    for (const CursorFacts& cursor : facts.cursors) sink(CursorText(cursor, end));
    for (const std::string& path : facts.foreign) sink("  " + path + ": not the log's\n");
    return Status();
  });
  sink(fmt::format("\n{} segments, {} bytes\n", segments, bytes));
  return done;
}

Result<VerifyTotals> VerifyLog(Disk& disk, const LogFolder& folder, const LogQuery& query,
                               const LineSink& sink) {
  VerifyTotals totals;
  ScanHandlers handlers;
  handlers.on_damage = [&](const LogDamage& damage) {
    totals.damages++;
    totals.damaged_bytes += damage.bytes;
    sink(DamageText(damage) + "\n");
  };
  const Status done = ForEachPartition(disk, folder, query, [&](const PartitionFacts& facts) {
    LogPosition last = 0;
    uint64_t last_epoch = 0;
    for (const SegmentFacts& segment : facts.segments) {
      auto scan = UnlessGone(disk, segment, ScanSegment(disk, segment, handlers));
      if (!scan) {
        handlers.on_damage({segment.segment.path, 0, 0, scan.error().message});
        continue;
      }
      if (!*scan) continue;
      const SegmentSummary& summary = (*scan)->summary;
      // A process repeats what it has failed to write.
      const uint64_t epoch = segment.segment.header.epoch;
      if (summary.records > 0 && summary.first <= last && epoch != last_epoch) {
        handlers.on_damage({segment.segment.path, SegmentHeader::kBytes, 0,
                            fmt::format("begins at position {}, the segment before ends at {}",
                                        summary.first, last)});
      }
      last = std::max(last, summary.last);
      last_epoch = epoch;
      totals.segments++;
      totals.bytes += segment.segment.file_bytes;
      totals.records += summary.records;
      totals.counts += (*scan)->counts;
      totals.unfinished_bytes += (*scan)->unfinished_bytes;
    }
    for (const CursorFacts& cursor : facts.cursors) {
      if (!cursor.state) {
        handlers.on_damage({cursor.path, 0, 0, "no position of a remote can be read here"});
      }
    }
    return Status();
  });
  if (!done) return Fail(done.error().message);
  return totals;
}

Status DumpLog(Disk& disk, const LogFolder& folder, const LogQuery& query, const LineSink& sink,
               const std::function<void(const LogDamage&)>& on_damage) {
  Dumper dumper(query, sink);
  bool enough = false;
  return ForEachPartition(disk, folder, query, [&](const PartitionFacts& facts) {
    for (const SegmentFacts& segment : facts.segments) {
      if (enough) break;
      ScanHandlers handlers;
      if (!segment.segment.closed) {
        // What has not been ended did not happen.
        auto first = UnlessGone(disk, segment, ScanSegment(disk, segment, {}));
        if (!first) return Status(Fail(first.error().message));
        if (!*first || (*first)->commits == 0) continue;
        handlers.end = (*first)->committed_end;
      }
      handlers.on_damage = on_damage;
      handlers.on_samples = [&](LogPosition, const GroupSamples& samples) {
        enough = !dumper.Dump(samples);
        return !enough;
      };
      auto scan = UnlessGone(disk, segment, ScanSegment(disk, segment, handlers));
      if (!scan) return Status(Fail(scan.error().message));
    }
    return Status();
  });
}

}  // namespace tributary
