// Reads one page of a target, as it streams in, against the target's layout, and makes its commit:
// the reader of the page's format and the intake that it feeds (page_intake.h has the contract).
// One thread; a reader is used for one page.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "agent/layout/line_reader.h"
#include "agent/layout/page_intake.h"
#include "agent/layout/protobuf_reader.h"

namespace tributary {

enum class PageFormat : uint8_t { kPrometheusText, kOpenMetrics, kProtobuf };

class PageReader {
 public:
  using Context = PageIntake::Context;

  PageReader(const Context& context, TimestampMs timestamp, TimestampMs now)
      : intake_(context, timestamp, now),
        mode_(context.histograms),
        format_(std::in_place_index<0>, intake_, mode_) {}
  PageReader(const PageReader&) = delete;
  PageReader& operator=(const PageReader&) = delete;

  // Before the first Push; Prometheus' text unless said.
  void SetFormat(PageFormat format);
  void LiftSeriesLimits() { intake_.LiftSeriesLimits(); }
  // The next bytes of the page. After an error of the page the rest is only taken, not read.
  void Push(std::string_view bytes);
  // As those of PageIntake.
  Status FinishPage();
  void AbandonPage() { intake_.AbandonPage(); }
  const PageTotals& totals() const { return intake_.totals(); }
  void Withdraw() { intake_.Withdraw(); }
  Commit MakeCommit(const ScrapeReport& report) { return intake_.MakeCommit(report); }

 private:
  PageIntake intake_;
  HistogramMode mode_;
  std::variant<LineReader<PrometheusTextFormat>, LineReader<OpenMetricsFormat>, ProtobufReader>
      format_;
};

}  // namespace tributary
