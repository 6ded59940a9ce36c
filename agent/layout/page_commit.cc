// The end of a page: markers, reports and the commit, and what the layout keeps of it.
#include <algorithm>
#include <bit>
#include <utility>

#include "agent/layout/commit_slice.h"
#include "agent/layout/free_memory.h"
#include "agent/layout/page_intake.h"
#include "agent/layout/series_families.h"
#include "common/base/assert.h"

namespace tributary {

namespace {

// So many families may be remembered beyond the lines there are.
constexpr size_t kFamiliesSpare = 100;

// Moves what stands at provisional places to the final ones.
template <typename T>
void Move(std::vector<T>& values, Bitmap& present, uint32_t first,
          const std::vector<uint32_t>& final_places) {
  std::vector<std::pair<uint32_t, T>> moved;
  for (uint32_t i = 0; i < final_places.size(); i++) {
    if (!present.Test(first + i)) continue;
    present.Reset(first + i);
    moved.emplace_back(final_places[i], values[first + i]);
  }
  for (const auto& [place, value] : moved) {
    if (place >= values.size()) values.resize(place + 1);
    values[place] = value;
    present.Set(place);
  }
}

void Move(Bitmap& places, uint32_t first, const std::vector<uint32_t>& final_places) {
  std::vector<uint32_t> moved;
  for (uint32_t i = 0; i < final_places.size(); i++) {
    if (!places.Test(first + i)) continue;
    places.Reset(first + i);
    moved.push_back(final_places[i]);
  }
  for (uint32_t place : moved) places.Set(place);
}

template <typename T>
void Move(std::vector<T>& placed, uint32_t first, const std::vector<uint32_t>& final_places) {
  for (T& sample : placed) {
    if (sample.place >= first) sample.place = final_places[sample.place - first];
  }
}

void MoveStarts(std::vector<TimestampMs>& starts, uint32_t first,
                const std::vector<uint32_t>& final_places) {
  std::vector<TimestampMs> moved(final_places.size());
  for (uint32_t i = 0; i < final_places.size() && first + i < starts.size(); i++) {
    moved[i] = std::exchange(starts[first + i], 0);
  }
  for (uint32_t i = 0; i < final_places.size(); i++) {
    if (final_places[i] >= starts.size()) starts.resize(final_places[i] + 1);
    starts[final_places[i]] = moved[i];
  }
}

void Remap(ScrapeBuffer& buffer, uint32_t first, const std::vector<uint32_t>& final_places) {
  Move(buffer.values, buffer.present, first, final_places);
  Move(buffer.timed, buffer.has_timed, first, final_places);
  Move(buffer.tracked, first, final_places);
  if (buffer.any_starts) MoveStarts(buffer.starts, first, final_places);
  Move(buffer.further, first, final_places);
  Move(buffer.histograms, first, final_places);
  Move(buffer.exemplars, first, final_places);
}

}  // namespace

void PageIntake::ForgetPage() {
  layout_.lines_.Truncate(lines_before_);
  builder_.Discard();
  // Of a page that arrived, the series known before count as seen all the same.
  buffer_.tracked.Truncate(arrived_ ? builder_.first_provisional() : 0);
  buffer_.accepted.Truncate(arrived_ ? lines_before_ : 0);
  recording_order_ = false;
}

void PageIntake::Withdraw() {
  ForgetPage();
  SettleLines();
}

void PageIntake::AddStaleMarkers() {
  layout_.tracked_.ForEach([&](uint32_t place) {
    if (buffer_.tracked.Test(place) || !IsLater(place, timestamp_)) return;
    buffer_.values[place] = StaleNan();
    buffer_.present.Set(place);
  });
}

void PageIntake::AddReport(const ScrapeReport& report) {
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
      buffer_.further.push_back({place, timestamp_, values[i]});
    } else {
      buffer_.values[place] = values[i];
      buffer_.present.Set(place);
    }
  }
}

void PageIntake::SettleNewSeries() {
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

// Of a page that was good all lines have been read; of another only some, which add to those known.
void PageIntake::NoteFormat() {
  const bool decides = lines_before_ == 0 || (!failed_ && any_bytes_);
  if (decides) {
    layout_.lines_format_ = format_;
  } else if (layout_.lines_.size() > lines_before_ && layout_.lines_format_ != format_) {
    layout_.lines_format_ = TargetLayout::kNoFormat;
  }
}

// A good page decides which lines are known from now on, and in which order they are expected.
void PageIntake::SettleLines() {
  KnownLines& lines = layout_.lines_;
  buffer_.accepted.ForEach([&](uint32_t line) { lines.SetAccepted(line); });
  lines.DropIndex();
  NoteFormat();
  if (failed_) {
    // What it said of families does not count, and what they said before has to be read again.
    if (metadata_read_) layout_.ForgetComments();
  } else if (any_bytes_) {
    if (recording_order_ || cursor_ < lines.size()) {
      if (!recording_order_) StartRecordingOrder();
      lines.Reorder(buffer_.order);
    }
    if (lines.size() > lines_before_) lines.ShrinkToFit();
    if (recording_order_ || metadata_read_ || lines.size() > lines_before_) {
      layout_.families_settled_ = false;
    }
    layout_.lines_at_success_ = lines.size();
  }
  const size_t kept_max = lines.size() + kFamiliesSpare;
  if (layout_.families_.size() > kept_max || layout_.family_of_line_.size() > kept_max) {
    FreeMemory(layout_.families_);
    FreeMemory(layout_.family_of_line_);
    layout_.ForgetComments();
  }
}

// A word of the bitmaps at a time, as mostly nothing is missing.
template <typename F>
void PageIntake::ForEachMissing(const Bitmap& present, const Bitmap* also, F f) const {
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
void PageIntake::CountAbsences() {
  boost::unordered::erase_if(layout_.absences_, [&](const auto& entry) {
    return buffer_.present.Test(entry.first) || buffer_.mentioned.Test(entry.first);
  });
  ForEachMissing(buffer_.present, &buffer_.mentioned, [&](uint32_t place) {
    uint8_t& count = layout_.absences_[place];
    if (count < 255) count++;
  });
  for (uint32_t place : layout_.report_) layout_.absences_.erase(place);
}

void PageIntake::NoteTime(uint32_t place, TimestampMs time) {
  if (time == timestamp_ && buffer_.present.Test(place)) return;
  const TimestampMs kept = std::max(time, LastTimes::kEarliest);
  if (layout_.last_times_.Raise(place, kept)) return;
  layout_.last_times_.TryAdd(place, std::max(LatestTime(place), kept));
}

// The latest time of every series, exactly as if each kept its own.
void PageIntake::SettleTimes(bool page_has_samples) {
  LastTimes& times = layout_.last_times_;
  buffer_.has_timed.ForEach(
      [&](uint32_t place) { NoteTime(place, buffer_.timed[place].timestamp); });
  for (const auto& sample : buffer_.further) NoteTime(sample.place, sample.timestamp);
  for (const auto& entry : buffer_.histograms) NoteTime(entry.place, entry.sample.timestamp);
  const bool has_new = layout_.place_end_ > builder_.first_provisional();
  if (page_has_samples || (has_new && layout_.page_time_ms_ != LastTimes::kNever)) {
    // What has_timed has was noted above.
    ForEachMissing(buffer_.present, &buffer_.has_timed, [&](uint32_t place) {
      if (page_has_samples || place >= builder_.first_provisional()) {
        times.TryAdd(place, LatestTime(place));
      }
    });
  }
  layout_.last_times_max_ = LastTimes::kNever;
  times.EraseIf([&](uint32_t place, TimestampMs time) {
    if (time <= timestamp_ && buffer_.present.Test(place)) return true;
    layout_.last_times_max_ = std::max(layout_.last_times_max_, time);
    return false;
  });
  if (page_has_samples) layout_.page_time_ms_ = timestamp_;
}

// Reports have theirs even if no page was ever good.
void PageIntake::SettleFamilies() {
  if (series_families_ == nullptr || layout_.families_settled_) return;
  const bool good = !failed_ && any_bytes_;
  if (!good && layout_.place_end_ <= builder_.first_provisional()) return;
  SettleSeriesFamilies(layout_, *series_families_);
  layout_.families_settled_ = good;
}

Commit PageIntake::MakeCommit(const ScrapeReport& report) {
  const bool overgrown = layout_.lines_.size() > 2 * layout_.lines_at_success_ + 1000;
  buffer_.tracked.Include(buffer_.present);
  if (failed_) {
    buffer_.ClearSamples(layout_.place_end_);
    // Pages that fail for ever with ever new lines must not make the layout grow.
    if (!arrived_ || overgrown) ForgetPage();
  }
  if (!failed_ && any_bytes_) CountAbsences();
  AddStaleMarkers();
  const bool page_has_samples = buffer_.HasSamples();
  AddReport(report);
  SettleNewSeries();
  SettleLines();
  SettleTimes(page_has_samples);
  SettleFamilies();
  for (const auto& entry : buffer_.exemplars) layout_.exemplars_[entry.place] = entry.mark;
  if (rules_.keep_starts) {
    for (TargetLayout::Group& group : layout_.groups_) UpdateStarts(group, buffer_);
  }
  // A copy: the buffer has room for the largest target, which each would else take home in turn.
  layout_.tracked_ = buffer_.tracked;
  layout_.last_scrape_ms_ = timestamp_;
  Commit commit = SliceCommit(layout_, timestamp_, buffer_);
  // Only after a page that says which series live: one that failed may have named some that were
  // gone.
  if (!failed_ && any_bytes_ && LayoutBuilder::WantsRegroup(layout_)) {
    LayoutBuilder::Regroup(layout_);
  }
  return commit;
}

Commit PageIntake::MakeEndCommit(TargetLayout& layout, TimestampMs timestamp,
                                 const std::function<bool(std::string_view)>& lives_on) {
  Bitmap ending = layout.tracked_;
  for (uint32_t place : layout.report_) {
    if (place != TargetLayout::kNoPlace) ending.Set(place);
  }
  ScrapeBuffer markers;
  markers.ClearSamples(layout.place_end_);
  markers.values.assign(layout.place_end_, StaleNan());
  std::string buffer;
  for (const TargetLayout::Group& group : layout.groups_) {
    uint32_t place = group.first_place;
    for (std::string_view packed : group.definition->Packed(buffer)) {
      const TimestampMs* own = layout.last_times_.Find(place);
      const bool later = own == nullptr || timestamp > *own;
      if (ending.Test(place) && later && !lives_on(packed)) markers.present.Set(place);
      place++;
    }
  }
  return SliceCommit(layout, timestamp, markers);
}

}  // namespace tributary
