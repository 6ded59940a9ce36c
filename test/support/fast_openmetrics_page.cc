#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "common/exposition/openmetrics_parser.h"
#include "common/exposition/start_timestamps.h"
#include "test/support/slow_openmetrics_parser.h"

namespace tributary {
namespace {

TextLabels Listed(const Labels& labels) {
  TextLabels listed;
  for (const Label& label : labels) listed.emplace_back(label.name, label.value);
  return listed;
}

class FastPageParser {
 public:
  explicit FastPageParser(CreatedLines created) : created_(created) {}

  OpenMetricsPage Parse(std::string_view page) {
    std::string line;
    while (true) {
      const size_t newline = page.find('\n');
      line += page.substr(0, newline);
      if (newline == std::string_view::npos) {
        page_.good = LastLine(line);
        break;
      }
      page.remove_prefix(newline + 1);
      TakeNuls(line, page);
      if (Line(line)) {
        if (ended_) {
          page_.good = page.find_first_not_of('\0') == std::string_view::npos;
          break;
        }
        line.clear();
        if (!page_.good) break;
      } else if (OpenMetricsNeedsNextLine(line)) {
        line += '\n';
      } else {
        page_.good = false;
        break;
      }
    }
    if (created_ == CreatedLines::kAreStarts && page_.good) {
      starts_.TakeMetadata();
      for (const auto& [sample, start] : starts_.found()) page_.entries[sample].start = start;
    }
    return std::move(page_);
  }

 private:
  // NUL bytes that belong to the line of metadata that they follow.
  void TakeNuls(std::string& line, std::string_view& page) {
    if (!line.starts_with('#') || !page.starts_with('\0') || OpenMetricsNeedsNextLine(line)) return;
    const auto parsed = ParseOpenMetricsLine(line, buffer_);
    if (parsed && parsed->kind == LineKind::kEof) return;
    const size_t nuls = std::min(page.find_first_not_of('\0'), page.size());
    line += '\n' + std::string(nuls - 1, '\0');
    page.remove_prefix(nuls);
  }

  // One without a newline.
  bool LastLine(std::string_view line) {
    const auto parsed = ParseOpenMetricsLine(line, buffer_);
    if (!parsed) return false;
    if (!parsed->refused_behind.empty()) TakeSample(*parsed);
    return parsed->kind == LineKind::kEof;
  }

  bool Line(std::string_view line) {
    ParsedLine known;
    known.kind = LineKind::kSample;
    known.series = OpenMetricsSeriesText(line);
    const std::string_view rest = line.substr(known.series.size());
    if (known_.contains(known.series) &&
        ParseOpenMetricsValue(rest, known.sample, known.exemplar)) {
      TakeSample(known);
      return true;
    }
    const Result<ParsedLine> parsed = ParseOpenMetricsLine(line, buffer_);
    if (!parsed) return false;
    if (parsed->kind == LineKind::kEof) {
      ended_ = true;
    } else if (parsed->kind == LineKind::kSample) {
      TakeSample(*parsed);
      page_.good = parsed->refused_behind.empty();
      const bool agrees = known.series == parsed->series &&
                          ParseOpenMetricsValue(rest, known.sample, known.exemplar);
      if (agrees != page_.good) Complain("ParseOpenMetricsValue and ParseOpenMetricsLine disagree");
      known_.emplace(parsed->series);
    } else {
      TakeMetadata(*parsed);
    }
    return true;
  }

  // Something that no oracle agrees with.
  void Complain(const char* problem) { page_.entries.emplace_back().text = problem; }

  void TakeMetadata(const ParsedLine& parsed) {
    OpenMetricsEntry& entry = page_.entries.emplace_back();
    entry.kind = parsed.kind;
    entry.family = parsed.family;
    entry.text = parsed.text;
    if (parsed.kind == LineKind::kType) type_ = parsed.text;
    starts_.TakeMetadata();
    family_bytes_ = parsed.family.size();
  }

  void TakeSample(const ParsedLine& parsed) {
    if (created_ == CreatedLines::kAreStarts) {
      if (IsCreatedSeries(parsed.series, type_)) {
        return starts_.TakeCreated(CreatedKey(parsed.series, type_, hash_), parsed.sample.value);
      }
      starts_.TakeSample(static_cast<uint32_t>(page_.entries.size()),
                         StartTimestampKey(parsed.series, type_, family_bytes_, hash_));
    }
    OpenMetricsEntry& entry = page_.entries.emplace_back();
    entry.series = parsed.series;
    entry.value_bits = std::bit_cast<uint64_t>(parsed.sample.value);
    entry.timestamp = parsed.sample.timestamp;
    if (const auto labels = ParseOpenMetricsSeries(parsed.series, type_)) {
      entry.labels = Listed(*labels);
    }
    if (!parsed.exemplar.empty()) entry.exemplar = TakeExemplar(parsed.exemplar);
  }

  static OpenMetricsExemplar TakeExemplar(std::string_view text) {
    OpenMetricsExemplar exemplar;
    if (const auto parsed = ParseExemplar(text)) {
      exemplar.labels = Listed(parsed->labels);
      exemplar.value_bits = std::bit_cast<uint64_t>(parsed->value);
      exemplar.timestamp = parsed->timestamp;
    }
    return exemplar;
  }

  const CreatedLines created_;
  const HashKey hash_ = HashKey::FromSeed(1);
  OpenMetricsPage page_;
  StartTimestamps starts_;
  std::set<std::string, std::less<>> known_;
  std::string buffer_;
  std::string type_;
  size_t family_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace

OpenMetricsPage FastParseOpenMetrics(std::string_view page, CreatedLines created) {
  return FastPageParser(created).Parse(page);
}

}  // namespace tributary
