// Reads pages of Prometheus' protobuf format, as they stream in.
//
// A series that is known costs a hash of its labels' bytes and the look at its value; no
// allocation, unless it is a native histogram. One thread; a reader is used for one page.
#pragma once

#include <string>
#include <string_view>

#include "agent/layout/page_intake.h"
#include "agent/target/histogram_mode.h"
#include "common/exposition/protobuf_page.h"
#include "common/exposition/protobuf_series.h"

namespace tributary {

class ProtobufReader {
 public:
  // `intake` must outlive it.
  ProtobufReader(PageIntake& intake, const HistogramMode& mode);

  // The next bytes of the page. After an error of the page the rest of its family is still decoded,
  // as it may turn out to be refused whole; what follows that is only taken, not read.
  void Push(std::string_view bytes);
  // There are no more.
  void Finish();

 private:
  void Fail(std::string error);
  void BeginFamily();
  void ReadMetric();
  void ReadSample();
  // The line of the sample at hand; kNone if there is none: then the page has failed, or is over
  // its sample limit.
  uint32_t LineOf();
  void ReadExemplars(uint32_t line, bool taken, const std::optional<TimestampMs>& timestamp);
  void EndFamily();

  PageIntake& intake_;
  ProtobufPageReader& page_;
  ProtobufSeriesReader series_;
  bool done_ = false;                      // nothing that follows can change what the page gives
  std::vector<ParsedExemplar> exemplars_;  // scratch, as is this
  std::string identity_;
};

}  // namespace tributary
