// Reads pages of the line formats, Prometheus' text and OpenMetrics, as they stream in.
//
// Cost of a line that stands where it stood at the last scrape: a hash of its series text and the
// reading of its value; no allocation. Explicitly instantiated for the two formats below. One
// thread; a reader is used for one page.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "agent/layout/classic_collator.h"
#include "agent/layout/page_intake.h"
#include "agent/target/histogram_mode.h"
#include "common/exposition/parsed_line.h"
#include "common/exposition/start_timestamps.h"

namespace tributary {

// A line may be this long; a page with a longer one is refused.
inline constexpr size_t kLineBytesMax = 4 << 20;
// So many newlines may stand inside quotes on a page, which Prometheus takes though the format does
// not.
inline constexpr int kJoinedLinesMax = 100;

struct PrometheusTextFormat;
struct OpenMetricsFormat;

template <typename Format>
class LineReader {
 public:
  // `intake` must outlive it.
  LineReader(PageIntake& intake, const HistogramMode& mode);

  // The next bytes of the page. After an error of the page the rest is only taken, not read.
  void Push(std::string_view bytes);
  // There are no more.
  void Finish();

 private:
  void ReadCarry();
  void ReadLines(const char* begin, const char* end);
  // These read the line at `begin` and return its newline. The first: if it is the one expected,
  // else null. The second: if it is a sample of a known series, else null. The third: any; null if
  // it has to wait for more.
  const char* ReadExpectedLine(const char* begin, const char* end);
  const char* ReadMovedLine(const char* begin, const char* end);
  const char* ReadUnknownLine(const char* begin, const char* end);
  void ReadLine(std::string_view line, const ParsedLine& parsed);
  void ReadKnownComment(std::string_view line);
  void ReadSample(const ParsedLine& parsed);
  void ReadComment(std::string_view line, const ParsedLine& parsed);
  void NoteFamily(const ParsedLine& parsed);
  // Whether the line is of a series that may be a part of a histogram to be converted.
  bool Collates() const { return collator_ && collator_->wants_series(); }
  ClassicCollator::Outcome Collate(const ParsedLine& parsed);
  // Whether the series is none, but says when others began.
  bool IsCreated(std::string_view series) const;
  void TakeStarts();
  void ReadBehindEnd(std::string_view bytes);
  void FinishLastLine();
  void FinishWithEndLine();
  void Take(uint32_t line, std::string_view series, const ValueAndTimestamp& sample,
            std::string_view exemplar);
  void StopForLongLine();
  bool done() const { return ended_ || intake_.failed(); }

  PageIntake& intake_;
  ScrapeBuffer& buffer_;
  bool ended_ = false;      // by what ends a page in its format
  bool last_line_ = false;  // nothing follows what is being read
  int joined_lines_ = 0;
  size_t joined_bytes_ = 0;  // of the carry, which were found to be the beginning of a longer line
  // Of the last line that names a family.
  MetricType type_ = MetricType::kUnknown;
  size_t family_bytes_ = 0;
  const bool keeps_starts_;
  StartTimestamps starts_;
  std::optional<ClassicCollator> collator_;  // if classic histograms are to be converted
};

extern template class LineReader<PrometheusTextFormat>;
extern template class LineReader<OpenMetricsFormat>;

}  // namespace tributary
