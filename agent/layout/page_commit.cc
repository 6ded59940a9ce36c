// The end of a page: markers, reports and the commit, and what the layout keeps of it.
#include <algorithm>
#include <bit>

#include "agent/layout/page_reader.h"
#include "common/base/assert.h"

namespace tributary {

namespace {

// So many families may be remembered beyond the lines there are.
constexpr size_t kFamiliesSpare = 100;

// Moves what was staged under provisional places to the final ones.
void Remap(ScrapeBuffer& buffer, uint32_t first, const std::vector<uint32_t>& final_places) {
  const auto count = static_cast<uint32_t>(final_places.size());
  std::vector<double> values(count);
  std::vector<bool> present(count), tracked(count);
  uint32_t place_end = first;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t place = first + i;
    if (place < buffer.values.size()) values[i] = buffer.values[place];
    present[i] = buffer.present.Test(place);
    tracked[i] = buffer.tracked.Test(place);
    buffer.present.Reset(place);
    buffer.tracked.Reset(place);
    place_end = std::max(place_end, final_places[i] + 1);
  }
  if (buffer.values.size() < place_end) buffer.values.resize(place_end);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t place = final_places[i];
    buffer.values[place] = values[i];
    if (present[i]) buffer.present.Set(place);
    if (tracked[i]) buffer.tracked.Set(place);
  }
  for (ScrapeBuffer::PlacedSample& sample : buffer.own) {
    if (sample.place >= first) sample.place = final_places[sample.place - first];
  }
}

// The group's part of the bitmap over places, and its values.
GroupSamples SliceGroup(const TargetLayout::Group& group, TimestampMs timestamp,
                        const Bitmap& present, const std::vector<double>& values) {
  GroupSamples samples;
  samples.group = group.definition;
  samples.timestamp = timestamp;
  const uint32_t series = group.definition->series();
  samples.present.resize((series + 63) / 64);
  size_t count = 0;
  for (size_t w = 0; w < samples.present.size(); w++) {
    samples.present[w] = present.word(group.first_place / 64 + w);
    count += static_cast<size_t>(std::popcount(samples.present[w]));
  }
  const double* from = values.data() + group.first_place;
  if (count == series) {
    samples.values.assign(from, from + series);
    return samples;
  }
  samples.values.reserve(count);
  for (uint32_t i = 0; i < series; i++) {
    if (samples.Has(i)) samples.values.push_back(from[i]);
  }
  return samples;
}

Commit SliceCommit(const TargetLayout& layout, TimestampMs timestamp, const Bitmap& present,
                   const std::vector<double>& values,
                   const std::vector<ScrapeBuffer::PlacedSample>& own) {
  Commit commit;
  commit.target_key = layout.target_key();
  commit.groups.reserve(layout.groups().size());
  for (const TargetLayout::Group& group : layout.groups()) {
    commit.groups.push_back(SliceGroup(group, timestamp, present, values));
  }
  for (const ScrapeBuffer::PlacedSample& sample : own) {
    auto after = std::upper_bound(
        layout.groups().begin(), layout.groups().end(), sample.place,
        [](uint32_t place, const TargetLayout::Group& group) { return place < group.first_place; });
    CHECK(after != layout.groups().begin());
    const auto index = static_cast<size_t>(after - layout.groups().begin()) - 1;
    commit.groups[index].own.push_back(
        {sample.place - layout.groups()[index].first_place, sample.timestamp, sample.value});
  }
  std::erase_if(commit.groups, [](const GroupSamples& samples) { return samples.samples() == 0; });
  return commit;
}

}  // namespace

void PageReader::ForgetPage() {
  layout_.lines_.Truncate(lines_before_);
  builder_.Discard();
  // Of a page that arrived, the series known before count as seen all the same.
  buffer_.tracked.Truncate(arrived_ ? builder_.first_provisional() : 0);
  buffer_.accepted.Truncate(arrived_ ? lines_before_ : 0);
  recording_order_ = false;
}

void PageReader::Withdraw() {
  ForgetPage();
  SettleLines();
}

void PageReader::AddStaleMarkers() {
  layout_.tracked_.ForEach([&](uint32_t place) {
    if (buffer_.tracked.Test(place) || !IsLater(place, timestamp_)) return;
    buffer_.values[place] = StaleNan();
    buffer_.present.Set(place);
  });
}

void PageReader::AddReport(const ScrapeReport& report) {
  const double values[kReportSeries] = {
      report.up ? 1.0 : 0.0,
      report.duration_seconds,
      static_cast<double>(totals_.lines_total),
      static_cast<double>(totals_.samples_added),
      static_cast<double>(totals_.series_added),
      report.timeout_seconds,
      report.sample_limit,
      report.body_bytes,
  };
  const size_t count = rules_.extra_metrics ? kReportSeries : kReportSeriesPlain;
  for (size_t i = 0; i < count; i++) {
    uint32_t& place = layout_.report_[i];
    if (place == TargetLayout::kNoPlace) {
      place = builder_.PlaceOf(
          ReportLabels(ReportSeriesName(static_cast<ReportSeries>(i)), target_labels_));
      if (place >= buffer_.values.size()) buffer_.values.resize(place + 1);
    }
    if (!IsLater(place, timestamp_)) continue;
    if (buffer_.present.Test(place)) {
      buffer_.own.push_back({place, timestamp_, values[i]});
    } else {
      buffer_.values[place] = values[i];
      buffer_.present.Set(place);
    }
  }
}

void PageReader::SettleNewSeries() {
  if (builder_.new_series() == 0) return;
  const uint32_t first = builder_.first_provisional();
  const std::vector<uint32_t> places = builder_.Settle();
  Remap(buffer_, first, places);
  // Only lines learned from this page, and reports, refer to them.
  for (uint32_t line = lines_before_; line < layout_.lines_.size(); line++) {
    const uint32_t place = layout_.lines_.place(line);
    if (place >= first && place <= KnownLines::kPlaceMax) {
      layout_.lines_.SetPlace(line, places[place - first]);
    }
  }
  for (uint32_t& place : layout_.report_) {
    if (place != TargetLayout::kNoPlace && place >= first) place = places[place - first];
  }
}

// A good page decides which lines are known from now on, and in which order they are expected.
void PageReader::SettleLines() {
  KnownLines& lines = layout_.lines_;
  buffer_.accepted.ForEach([&](uint32_t line) { lines.SetAccepted(line); });
  lines.DropIndex();
  if (failed_) {
    // What it said of families does not count, and what they said before has to be read again.
    if (metadata_read_) layout_.ForgetComments();
  } else if (any_bytes_) {
    if (recording_order_ || cursor_ < lines.size()) {
      if (!recording_order_) StartRecordingOrder();
      lines.Reorder(buffer_.order);
    }
    if (lines.size() > lines_before_) lines.ShrinkToFit();
    layout_.lines_at_success_ = lines.size();
  }
  if (layout_.families_.size() > lines.size() + kFamiliesSpare) {
    layout_.families_ = {};
    layout_.ForgetComments();
  }
}

// A word of the bitmaps at a time, as mostly nothing is missing.
template <typename F>
void PageReader::ForEachMissing(const Bitmap& present, const Bitmap* also, F f) const {
  for (const TargetLayout::Group& group : layout_.groups_) {
    const uint32_t series = group.definition->series();
    for (uint32_t i = 0; i < series; i += 64) {
      const size_t word = (group.first_place + i) / 64;
      const uint64_t members = series - i >= 64 ? ~uint64_t{0} : (uint64_t{1} << (series - i)) - 1;
      uint64_t missing = members & ~present.word(word);
      if (also != nullptr) missing &= ~also->word(word);
      for (; missing != 0; missing &= missing - 1) {
        f(static_cast<uint32_t>(word * 64) + static_cast<uint32_t>(std::countr_zero(missing)));
      }
    }
  }
}

// Before markers and reports are added: what the page itself has.
void PageReader::CountAbsences() {
  boost::unordered::erase_if(layout_.absences_, [&](const auto& entry) {
    return buffer_.present.Test(entry.first) || buffer_.mentioned.Test(entry.first);
  });
  ForEachMissing(buffer_.present, &buffer_.mentioned, [&](uint32_t place) {
    uint8_t& count = layout_.absences_[place];
    if (count < 255) count++;
  });
  for (uint32_t place : layout_.report_) layout_.absences_.erase(place);
}

// The latest time of every series, exactly as if each kept its own.
void PageReader::SettleTimes(bool page_has_samples) {
  auto& times = layout_.last_times_;
  for (const ScrapeBuffer::PlacedSample& sample : buffer_.own) {
    if (sample.timestamp == timestamp_ && buffer_.present.Test(sample.place)) continue;
    TimestampMs& latest = times.try_emplace(sample.place, LatestTime(sample.place)).first->second;
    latest = std::max(latest, sample.timestamp);
  }
  const bool has_new = layout_.place_end_ > builder_.first_provisional();
  if (page_has_samples || (has_new && layout_.page_time_ms_ != TargetLayout::kNever)) {
    ForEachMissing(buffer_.present, nullptr, [&](uint32_t place) {
      if (page_has_samples || place >= builder_.first_provisional()) {
        times.try_emplace(place, LatestTime(place));
      }
    });
  }
  layout_.last_times_max_ = TargetLayout::kNever;
  boost::unordered::erase_if(times, [&](const auto& entry) {
    if (entry.second <= timestamp_ && buffer_.present.Test(entry.first)) return true;
    layout_.last_times_max_ = std::max(layout_.last_times_max_, entry.second);
    return false;
  });
  if (times.empty()) times = {};
  if (page_has_samples) layout_.page_time_ms_ = timestamp_;
}

Commit PageReader::MakeCommit(const ScrapeReport& report) {
  const bool overgrown = layout_.lines_.size() > 2 * layout_.lines_at_success_ + 1000;
  buffer_.tracked.Include(buffer_.present);
  if (failed_) {
    buffer_.present.Clear(layout_.place_end_);
    buffer_.own.clear();
    // Pages that fail for ever with ever new lines must not make the layout grow.
    if (!arrived_ || overgrown) ForgetPage();
  }
  if (!failed_ && any_bytes_) CountAbsences();
  AddStaleMarkers();
  const bool page_has_samples = buffer_.present.Any() || !buffer_.own.empty();
  AddReport(report);
  SettleNewSeries();
  SettleLines();
  SettleTimes(page_has_samples);
  // A copy: the buffer has room for the largest target, which each would else take home in turn.
  layout_.tracked_ = buffer_.tracked;
  layout_.last_scrape_ms_ = timestamp_;
  Commit commit = SliceCommit(layout_, timestamp_, buffer_.present, buffer_.values, buffer_.own);
  // Only after a page that says which series live: one that failed may have named some that were
  // gone.
  if (!failed_ && any_bytes_ && LayoutBuilder::WantsRegroup(layout_)) {
    LayoutBuilder::Regroup(layout_);
  }
  return commit;
}

Commit PageReader::MakeEndCommit(TargetLayout& layout, TimestampMs timestamp,
                                 const std::function<bool(std::string_view)>& lives_on) {
  Bitmap ending = layout.tracked_;
  for (uint32_t place : layout.report_) {
    if (place != TargetLayout::kNoPlace) ending.Set(place);
  }
  Bitmap present;
  present.Clear(layout.place_end_);
  std::string buffer;
  for (const TargetLayout::Group& group : layout.groups_) {
    uint32_t place = group.first_place;
    for (std::string_view packed : group.definition->Packed(buffer)) {
      auto own = layout.last_times_.find(place);
      const bool later = own == layout.last_times_.end() || timestamp > own->second;
      if (ending.Test(place) && later && !lives_on(packed)) present.Set(place);
      place++;
    }
  }
  const std::vector<double> values(layout.place_end_, StaleNan());
  return SliceCommit(layout, timestamp, present, values, {});
}

}  // namespace tributary
