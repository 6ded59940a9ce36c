#include "test/unit/agent/layout/layout_rig.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace tributary {
namespace {

void PushPieces(PageReader& reader, std::string_view page, std::mt19937_64& random) {
  const size_t piece_max = size_t{1} << (random() % 12);
  while (!page.empty()) {
    const size_t size = std::min<size_t>(page.size(), 1 + random() % piece_max);
    // A copy of its own, so that nothing can be kept of what a piece pointed to.
    const std::string piece(page.substr(0, size));
    reader.Push(piece);
    page.remove_prefix(size);
  }
}

}  // namespace

std::vector<DecodedSample> Decode(const Commit& commit) {
  std::vector<DecodedSample> samples;
  for (const GroupSamples& group : commit.groups) {
    const std::vector<Labels> labels = group.group->Decode();
    const auto add_own = [&](bool earlier) {
      for (const OwnSample& own : group.own) {
        if ((own.timestamp < group.timestamp) == earlier) {
          samples.push_back(
              {labels.at(own.index), own.timestamp, std::bit_cast<uint64_t>(own.value)});
        }
      }
    };
    add_own(true);
    size_t next = 0;
    for (uint32_t i = 0; i < group.group->series(); i++) {
      if (!group.Has(i)) continue;
      samples.push_back(
          {labels[i], group.timestamp, std::bit_cast<uint64_t>(group.values.at(next++))});
    }
    add_own(false);
  }
  return samples;
}

std::vector<DecodedHistogram> Histograms(const Commit& commit) {
  std::vector<DecodedHistogram> histograms;
  for (const GroupSamples& group : commit.groups) {
    if (group.irregular == nullptr) continue;
    const std::vector<Labels> labels = group.group->Decode();
    for (const HistogramSample& sample : group.irregular->histograms) {
      histograms.push_back({labels.at(sample.index), sample});
    }
  }
  return histograms;
}

std::vector<DecodedExemplar> Exemplars(const Commit& commit) {
  std::vector<DecodedExemplar> exemplars;
  for (const GroupSamples& group : commit.groups) {
    if (group.irregular == nullptr) continue;
    const std::vector<Labels> labels = group.group->Decode();
    for (const ExemplarSample& sample : group.irregular->exemplars) {
      exemplars.push_back(
          {labels.at(sample.index), UnpackLabels(sample.labels), sample.value, sample.timestamp});
    }
  }
  return exemplars;
}

std::vector<std::string> ShowExemplars(const Commit& commit) {
  std::vector<std::string> shown;
  for (const DecodedExemplar& exemplar : Exemplars(commit)) {
    shown.push_back(fmt::format("{} {} {} @ {}", exemplar.series.Get(kMetricName),
                                exemplar.labels.ToString(), exemplar.value, exemplar.timestamp));
  }
  return shown;
}

std::map<Labels, TimestampMs> Starts(const Commit& commit) {
  std::map<Labels, TimestampMs> starts;
  for (const GroupSamples& group : commit.groups) {
    if (group.starts == nullptr) continue;
    const std::vector<Labels> labels = group.group->Decode();
    for (uint32_t i = 0; i < labels.size(); i++) {
      const bool own = std::any_of(group.own.begin(), group.own.end(),
                                   [i](const OwnSample& sample) { return sample.index == i; });
      if ((group.Has(i) || own) && group.starts->at(i) != 0)
        starts[labels[i]] = group.starts->at(i);
    }
  }
  return starts;
}

std::map<std::string, FamilyMetadata> Families(const Commit& commit) {
  std::map<std::string, FamilyMetadata> families;
  for (const GroupSamples& group : commit.groups) {
    const std::vector<Labels> labels = group.group->Decode();
    for (uint32_t i = 0; i < labels.size(); i++) {
      if (!group.Has(i)) continue;
      const FamilyMetadata* family = group.metadata == nullptr ? nullptr : group.metadata->Of(i);
      families[std::string(labels[i].Get(kMetricName))] =
          family == nullptr ? FamilyMetadata{} : *family;
    }
  }
  return families;
}

std::string Show(const DecodedSample& sample) {
  const double value = std::bit_cast<double>(sample.bits);
  return fmt::format("{} = {} @ {}", sample.labels.ToString(),
                     IsStaleNan(value) ? "stale" : fmt::format("{}", value), sample.timestamp);
}

std::vector<std::string> Show(const Commit& commit) {
  std::vector<std::string> shown;
  for (const DecodedSample& sample : Decode(commit)) shown.push_back(Show(sample));
  return shown;
}

std::vector<std::string> PageSamples(const Commit& commit) {
  std::vector<std::string> shown;
  for (const DecodedSample& sample : Decode(commit)) {
    const std::string_view name = sample.labels.Get(kMetricName);
    if (name != "up" && !name.starts_with("scrape_")) shown.push_back(Show(sample));
  }
  std::sort(shown.begin(), shown.end());
  return shown;
}

std::string BrokenInvariant(const TargetLayout& layout) {
  size_t series = 0;
  uint32_t place_end = 0;
  for (const TargetLayout::Group& group : layout.groups()) {
    if (group.first_place % 64 != 0) return "a group begins inside a word";
    if (group.first_place < place_end) return "groups overlap or are not in order";
    std::string buffer;
    const std::vector<std::string_view> packed = group.definition->Packed(buffer);
    if (packed.empty() || packed.size() > kGroupSeriesMax) return "a group of a wrong size";
    for (size_t i = 1; i < packed.size(); i++) {
      if (packed[i - 1] >= packed[i]) return "a group is not sorted by packed labels";
    }
    series += packed.size();
    place_end = group.first_place + static_cast<uint32_t>(packed.size());
    if (group.definition->generation() > layout.generation()) return "a group of the future";
  }
  if (series != layout.series()) return "series are counted wrongly";
  const std::map<uint32_t, Labels> places = PlacesOf(layout);
  std::map<Labels, uint32_t> unique;
  for (const auto& [place, labels] : places) {
    if (!unique.emplace(labels, place).second) return "a series has two places";
  }
  for (uint32_t line = 0; line < layout.lines().size(); line++) {
    const uint32_t place = layout.lines().place(line);
    if (place <= KnownLines::kPlaceMax && !places.contains(place)) return "a line without a place";
  }
  return "";
}

std::map<uint32_t, Labels> PlacesOf(const TargetLayout& layout) {
  std::map<uint32_t, Labels> places;
  for (const TargetLayout::Group& group : layout.groups()) {
    uint32_t place = group.first_place;
    for (Labels& labels : group.definition->Decode()) places[place++] = std::move(labels);
  }
  return places;
}

LayoutRig::Scraped LayoutRig::Scrape(std::string_view page, TimestampMs timestamp,
                                     std::mt19937_64* cut, const ScrapeReport* report) {
  PageReader reader = Reader(timestamp);
  reader.SetFormat(format_);
  if (cut != nullptr) {
    PushPieces(reader, page, *cut);
  } else {
    reader.Push(page);
  }
  Scraped scraped;
  if (auto good = reader.FinishPage(); !good) scraped.error = good.error().message;
  ScrapeReport own_report;
  own_report.up = scraped.error.empty();
  scraped.totals = reader.totals();
  scraped.commit = reader.MakeCommit(report != nullptr ? *report : own_report);
  return scraped;
}

LayoutRig::Scraped LayoutRig::Break(std::string_view page, TimestampMs timestamp,
                                    const ScrapeReport* report) {
  PageReader reader = Reader(timestamp);
  reader.SetFormat(format_);
  reader.Push(page);
  reader.AbandonPage();
  Scraped scraped;
  scraped.totals = reader.totals();
  scraped.commit = reader.MakeCommit(report != nullptr ? *report : ScrapeReport{});
  return scraped;
}

}  // namespace tributary
