#include "test/support/slow_page_entries.h"

#include <bit>
#include <cmath>
#include <map>
#include <utility>

#include "common/exposition/float_text.h"
#include "common/exposition/openmetrics_parser.h"
#include "common/exposition/text_parser.h"
#include "common/histogram/nhcb_builder.h"
#include "test/support/slow_openmetrics_parser.h"

namespace tributary {
namespace {

Labels ToLabels(const TextLabels& texts) {
  Labels labels;
  for (const auto& [name, value] : texts) labels.Set(name, value);
  return labels;
}

// A histogram whose series are coming.
struct Collected {
  std::string name;
  std::map<std::string, std::string> others;  // labels but name and le; those emptied too
  NhcbBuilder builder;
  std::vector<SlowExemplar> exemplars;
  TimestampMs start = 0;
};

std::pair<std::string, std::string> CutSuffix(const std::string& name) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (name.ends_with(suffix)) return {name.substr(0, name.size() - suffix.size()), suffix};
  }
  return {name, ""};
}

class Collator {
 public:
  Collator(const SlowPageEntries& page, bool keep_classic)
      : page_(page), keep_classic_(keep_classic) {}

  SlowPageEntries Run() {
    out_.good = page_.good;
    for (const SlowPageEntry& entry : page_.entries) {
      if (entry.kind == LineKind::kSample) {
        TakeSample(entry);
        continue;
      }
      Emit();
      if (entry.kind == LineKind::kType) {
        family_ = entry.family;
        type_ = entry.text;
      }
      out_.entries.push_back(entry);
    }
    if (page_.good) Emit();
    return out_;
  }

 private:
  void TakeSample(const SlowPageEntry& entry) {
    timestamp_ = entry.timestamp;
    std::map<std::string, std::string> labels;
    if (entry.labels) labels = {entry.labels->begin(), entry.labels->end()};
    for (const std::string& name : entry.emptied) labels[name] = "";
    const auto [base, suffix] = CutSuffix(labels["__name__"]);
    std::map<std::string, std::string> others = labels;
    others.erase("__name__");
    others.erase("le");
    const bool other = type_ != "histogram" || !collected_ || collected_->name != base ||
                       collected_->others != others || !entry.labels;
    if (collected_ && other) Emit();
    bool part = type_ == "histogram" && base == family_ && !suffix.empty() && entry.labels;
    std::optional<double> bound;
    if (part && suffix == "_bucket") {
      bound = ParseGoFloat(labels["le"]);
      part = bound && !std::isnan(*bound);
    }
    if (!part) {
      out_.entries.push_back(entry);
      return;
    }
    if (!collected_) collected_ = Collected{base, others, {}, {}, entry.start};
    collected_->exemplars.insert(collected_->exemplars.end(), entry.exemplars.begin(),
                                 entry.exemplars.end());
    if (suffix == "_bucket") collected_->builder.SetBucket(*bound, entry.value);
    if (suffix == "_count") collected_->builder.SetCount(entry.value);
    if (suffix == "_sum") collected_->builder.SetSum(entry.value);
    if (!keep_classic_) return;
    out_.entries.push_back(entry);
    out_.entries.back().exemplars.clear();
  }

  void Emit() {
    if (!collected_) return;
    const Collected collected = *std::exchange(collected_, std::nullopt);
    SlowPageEntry entry;
    entry.histogram.emplace();
    NhcbBuilder builder = collected.builder;
    if (!builder.Build(*entry.histogram)) return;
    entry.labels = TextLabels{{"__name__", collected.name}};
    entry.series = collected.name;
    for (const auto& [name, value] : collected.others) {
      if (value.empty()) continue;
      entry.labels->emplace_back(name, value);
      entry.series += (entry.labels->size() == 2 ? "{" : ",") + name + "=\"" + value + "\"";
    }
    if (entry.labels->size() > 1) entry.series += "}";
    entry.timestamp = timestamp_;
    entry.start = collected.start;
    // A native histogram has none without a time.
    for (const SlowExemplar& exemplar : collected.exemplars) {
      if (exemplar.timestamp) entry.exemplars.push_back(exemplar);
    }
    out_.entries.push_back(std::move(entry));
  }

  const SlowPageEntries& page_;
  const bool keep_classic_;
  SlowPageEntries out_;
  std::string family_, type_;
  std::optional<Collected> collected_;
  std::optional<TimestampMs> timestamp_;  // of the sample read last
};

}  // namespace

SlowPageEntries SlowTextEntries(std::string_view page) {
  const TextPage parsed = SlowParsePage(page);
  SlowPageEntries out{parsed.good, {}};
  std::string type;
  for (const TextEntry& from : parsed.entries) {
    SlowPageEntry& entry = out.entries.emplace_back();
    entry.kind = from.kind;
    entry.family = from.family;
    entry.text = from.text;
    if (from.kind == LineKind::kType) type = from.text;
    if (from.kind != LineKind::kSample) continue;
    entry.series = from.series;
    entry.labels = from.labels;
    if (entry.labels) (void)ParseSeries(from.series, type, &entry.emptied);
    entry.value = std::bit_cast<double>(from.value_bits);
    entry.timestamp = from.timestamp;
  }
  return out;
}

SlowPageEntries SlowOpenMetricsEntries(std::string_view page, bool starts) {
  const OpenMetricsPage parsed =
      SlowParseOpenMetrics(page, starts ? CreatedLines::kAreStarts : CreatedLines::kAreSeries);
  SlowPageEntries out{parsed.good, {}};
  std::string type;
  for (const OpenMetricsEntry& from : parsed.entries) {
    SlowPageEntry& entry = out.entries.emplace_back();
    entry.kind = from.kind;
    entry.family = from.family;
    entry.text = from.text;
    if (from.kind == LineKind::kType) type = from.text;
    if (from.kind != LineKind::kSample) continue;
    entry.series = from.series;
    entry.labels = from.labels;
    if (entry.labels) (void)ParseOpenMetricsSeries(from.series, type, &entry.emptied);
    entry.value = std::bit_cast<double>(from.value_bits);
    entry.timestamp = from.timestamp;
    entry.start = from.start;
    if (!from.exemplar) continue;
    SlowExemplar& exemplar = entry.exemplars.emplace_back();
    if (!from.exemplar->labels) continue;
    exemplar.labels = ToLabels(*from.exemplar->labels);
    exemplar.value = std::bit_cast<double>(from.exemplar->value_bits);
    exemplar.timestamp = from.exemplar->timestamp;
  }
  return out;
}

SlowPageEntries SlowCollate(const SlowPageEntries& page, bool keep_classic) {
  return Collator(page, keep_classic).Run();
}

}  // namespace tributary
