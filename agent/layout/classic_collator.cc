#include "agent/layout/classic_collator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/exposition/float_text.h"
#include "common/exposition/openmetrics_parser.h"

namespace tributary {

namespace {

constexpr std::string_view kBound = "le";

// As `name{a="b"}`: a page may have a float series of the same text, which is then the same line.
std::string SeriesTextOf(const Labels& labels) {
  std::string text(labels.Get(kMetricName));
  char separator = '{';
  for (const Label& label : labels) {
    if (label.name == kMetricName) continue;
    text += separator;
    separator = ',';
    text += label.name + "=\"";
    for (char c : label.value) {
      if (c == '\n') {
        text += "\\n";
        continue;
      }
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  if (separator == ',') text += '}';
  return text;
}

}  // namespace

std::string_view ClassicCollator::BaseName(std::string_view name, Part& part) {
  for (auto [suffix, is] : {std::pair<std::string_view, Part>{"_bucket", Part::kBucket},
                            {"_sum", Part::kSum},
                            {"_count", Part::kCount}}) {
    if (!name.ends_with(suffix)) continue;
    part = is;
    return name.substr(0, name.size() - suffix.size());
  }
  part = Part::kNone;
  return name;
}

void ClassicCollator::TakeType(std::string_view family, MetricType type) {
  Emit();
  emitted_.clear();
  histogram_ = type == MetricType::kHistogram;
  family_ = family;
}

void ClassicCollator::SetStart(uint32_t number, TimestampMs start) {
  if (collecting_ && number == number_) {
    start_ = start;
    return;
  }
  auto at = std::lower_bound(emitted_.begin(), emitted_.end(), number,
                             [](const Emitted& a, uint32_t b) { return a.number < b; });
  if (at == emitted_.end() || at->number != number) return;
  intake_.buffer().histograms[at->staged].sample.start = start;
}

ClassicCollator::Outcome ClassicCollator::TakeSeries(const Labels& labels,
                                                     const std::vector<std::string>& emptied,
                                                     const ValueAndTimestamp& sample,
                                                     std::string_view exemplar) {
  begun_ = false;
  timestamp_ = sample.timestamp;
  Part part = Part::kNone;
  const std::string_view base = BaseName(labels.Get(kMetricName), part);
  Labels rest = labels;
  rest.Set(kMetricName, base);
  rest.Remove(kBound);
  if (collecting_ && (!histogram_ || rest != labels_ || emptied != emptied_)) Emit();
  if (!histogram_ || part == Part::kNone || base != family_) return Outcome::kNoPart;
  std::optional<double> bound;
  if (part == Part::kBucket) {
    bound = ParseGoFloat(labels.Get(kBound));
    if (!bound || std::isnan(*bound)) return Outcome::kNoPart;
  }
  if (!collecting_) {
    collecting_ = begun_ = true;
    number_++;
    labels_ = std::move(rest);
    emptied_ = emptied;
    start_ = 0;
    builder_.Reset();
    exemplars_.clear();
  }
  if (part == Part::kBucket) {
    builder_.SetBucket(*bound, sample.value);
  } else if (part == Part::kCount) {
    builder_.SetCount(sample.value);
  } else {
    builder_.SetSum(sample.value);
  }
  if (!exemplar.empty()) {
    if (Result<ParsedExemplar> parsed = ParseExemplar(exemplar); !parsed) {
      intake_.NoteInvalidExemplar();
    } else if (parsed->timestamp) {  // a native histogram has none without
      exemplars_.push_back(std::move(*parsed));
    }
  }
  return keep_classic_ ? Outcome::kKeptPart : Outcome::kSwallowed;
}

void ClassicCollator::Emit() {
  if (!std::exchange(collecting_, false)) return;
  NativeHistogram histogram;
  if (!builder_.Build(histogram)) return;
  const std::string text = SeriesTextOf(labels_);
  const uint64_t hash = intake_.Hash(text);
  uint32_t line = intake_.Find(hash);
  // What its parts give with an empty value counts as not given.
  if (line == KnownLines::kNone) line = intake_.Learn(hash, 0, labels_, {}, &histogram);
  if (line == KnownLines::kNone) return;
  if (intake_.TakeHistogram(line, histogram, timestamp_, start_) != PageIntake::Taken::kYes) {
    return;
  }
  if (start_ == 0 && intake_.rules().keep_starts) {
    emitted_.push_back({number_, intake_.buffer().histograms.size() - 1});
  }
  if (!exemplars_.empty()) intake_.TakeExemplars(line, exemplars_, timestamp_);
}

}  // namespace tributary
