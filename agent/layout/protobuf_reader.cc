#include "agent/layout/protobuf_reader.h"

#include <utility>

namespace tributary {

namespace {

MetricType TypeOf(ProtobufType type) {
  switch (type) {
    case ProtobufType::kCounter:
      return MetricType::kCounter;
    case ProtobufType::kGauge:
      return MetricType::kGauge;
    case ProtobufType::kSummary:
      return MetricType::kSummary;
    case ProtobufType::kUntyped:
      return MetricType::kUnknown;
    case ProtobufType::kHistogram:
      return MetricType::kHistogram;
    case ProtobufType::kGaugeHistogram:
      return MetricType::kGaugeHistogram;
  }
  return MetricType::kUnknown;
}

Result<Labels> LabelsOf(const ProtobufExemplarView& exemplar) {
  std::vector<Label> labels;
  for (const ProtobufLabel& label : exemplar.labels) {
    labels.push_back({std::string(label.name), std::string(label.value)});
  }
  return MakeExemplarLabels(std::move(labels));
}

}  // namespace

ProtobufReader::ProtobufReader(PageIntake& intake, const HistogramMode& mode)
    : intake_(intake),
      page_(intake.buffer().protobuf()),
      series_({!mode.native, mode.keep_classic, mode.convert_classic}) {
  page_.Reset();
}

void ProtobufReader::Push(std::string_view bytes) {
  if (bytes.empty()) return;
  intake_.NoteBytes();
  if (done_) return;
  using Event = ProtobufPageReader::Event;
  page_.Push(bytes);
  while (!done_) {
    switch (page_.Next()) {
      case Event::kNeedsBytes:
        return;
      case Event::kFamily:
        intake_.Mark();
        BeginFamily();
        break;
      case Event::kMetric:
        if (!intake_.failed()) ReadMetric();
        break;
      case Event::kFamilyEnd:
        done_ = intake_.failed();
        if (!done_) EndFamily();
        break;
      case Event::kError:
        Fail(page_.error());
        break;
    }
  }
}

void ProtobufReader::Finish() {
  if (done_) return;
  if (Status end = page_.Finish(); !end) Fail(std::move(end.error().message));
}

// After an error of a series the family is read to its end all the same: Prometheus, which sees it
// whole before its first metric, may have refused all of it.
void ProtobufReader::Fail(std::string error) {
  done_ = true;
  if (page_.family_never_began()) intake_.ReturnToMark();
  if (!intake_.failed()) intake_.Stop(std::move(error));
}

// Families are lines like comments: one before its series, which says where it begins, and one
// behind them, when all is known that it says of itself.
void ProtobufReader::BeginFamily() {
  const std::string_view name = page_.family().name;
  identity_.assign(1, '#');
  identity_ += name;
  intake_.TakeComment(intake_.Hash(identity_), 0, name);
  series_.BeginFamily(page_.family());
}

void ProtobufReader::ReadMetric() {
  using Step = ProtobufSeriesReader::Step;
  series_.BeginMetric(page_.metric());
  while (!intake_.failed()) {
    switch (series_.Next()) {
      case Step::kSample:
        ReadSample();
        break;
      case Step::kEnd:
        return;
      case Step::kError:
        intake_.Stop(series_.error());
        break;
    }
  }
}

uint32_t ProtobufReader::LineOf() {
  uint64_t hash = series_.Hash(intake_.hash());
  uint32_t line = intake_.Find(hash);
  // Lines are learned as all encode them: what is known needs no look at its labels.
  if (line == KnownLines::kNone && series_.HashCanonical(intake_.hash())) {
    hash = series_.Hash(intake_.hash());
    line = intake_.Find(hash);
  }
  if (line != KnownLines::kNone) return line;
  if (Status checked = series_.CheckLabels(); !checked) {
    intake_.Stop(std::move(checked.error().message));
    return KnownLines::kNone;
  }
  std::vector<std::string> emptied;
  Result<Labels> labels = series_.MakeLabels(&emptied);
  if (!labels) {
    intake_.CountUntaken();
    intake_.Stop(std::move(labels.error().message));
    return KnownLines::kNone;
  }
  return intake_.Learn(hash, 0, std::move(*labels), emptied, series_.sample().histogram);
}

void ProtobufReader::ReadSample() {
  const uint32_t line = LineOf();
  if (line == KnownLines::kNone) return;
  const ProtobufSample& sample = series_.sample();
  const std::optional<TimestampMs> timestamp = series_.timestamp();
  const TimestampMs start = intake_.rules().keep_starts ? series_.start_timestamp().value_or(0) : 0;
  const PageIntake::Taken outcome =
      sample.histogram != nullptr ? intake_.TakeHistogram(line, *sample.histogram, timestamp, start)
                                  : intake_.TakeFloat(line, sample.value, timestamp);
  if (outcome == PageIntake::Taken::kUnread) return;
  const bool taken = outcome == PageIntake::Taken::kYes;
  ReadExemplars(line, taken, timestamp);
  if (taken && sample.histogram == nullptr && start != 0) {
    intake_.TakeStart(intake_.lines().place(line), start);
  }
}

// All of them are read, as the reader of the series counts them.
void ProtobufReader::ReadExemplars(uint32_t line, bool taken,
                                   const std::optional<TimestampMs>& timestamp) {
  exemplars_.clear();
  ProtobufExemplarView view;
  while (series_.NextExemplar(view)) {
    if (!taken) continue;
    if (Result<Labels> labels = LabelsOf(view)) {
      exemplars_.push_back({std::move(*labels), view.value, view.timestamp});
    } else {
      intake_.NoteInvalidExemplar();
    }
  }
  if (!exemplars_.empty()) intake_.TakeExemplars(line, exemplars_, timestamp);
}

void ProtobufReader::EndFamily() {
  const ProtobufFamily& family = page_.family();
  identity_.assign(family.name);
  for (std::string_view part : {family.help, family.unit}) {
    identity_ += '\0';
    identity_ += part;
  }
  identity_ += static_cast<char>(family.type);
  if (intake_.TakeComment(intake_.Hash(identity_), 0)) return;
  intake_.TakeType(family.name, TypeOf(family.type));
  intake_.TakeHelp(family.name, family.help);
  intake_.TakeUnit(family.name, family.unit);
}

}  // namespace tributary
