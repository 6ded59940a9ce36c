#include "agent/receive/received_source.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/layout/commit_slice.h"
#include "agent/layout/free_memory.h"
#include "common/base/assert.h"

namespace tributary {

namespace {

// Of requests in which a source has nothing new: then it is no more learned, and the index of its
// series goes. To make it anew costs what a request does.
constexpr uint32_t kBatchesLearning = 4;
// Below so many samples of one time on average each gets its own: a record for each time would cost
// more than the eight bytes a sample that it saves.
constexpr size_t kSamplesOfOneTime = 32;

template <typename Placed>
void MoveToFinal(std::vector<Placed>& placed, uint32_t first, const std::vector<uint32_t>& final) {
  for (Placed& sample : placed) {
    if (sample.place >= first) sample.place = final[sample.place - first];
  }
}

// Of values by place, if there are any: those of new series move to their final places.
template <typename T>
void MoveNew(std::vector<T>& values, uint32_t first, const std::vector<uint32_t>& final,
             uint32_t place_end) {
  if (values.empty()) return;
  values.resize(std::max<size_t>(values.size(), first + final.size()));
  const std::vector<T> moved(values.begin() + first,
                             values.begin() + first + static_cast<ptrdiff_t>(final.size()));
  std::fill(values.begin() + first, values.end(), T{});
  values.resize(place_end);
  for (size_t i = 0; i < final.size(); i++) values[final[i]] = moved[i];
}

// And after a regrouping, all that are still there.
template <typename T>
void MoveAll(std::vector<T>& values, const std::vector<uint32_t>& final_place, uint32_t place_end) {
  if (values.empty()) return;
  std::vector<T> moved(place_end);
  for (uint32_t place = 0; place < final_place.size() && place < values.size(); place++) {
    if (final_place[place] != TargetLayout::kNoPlace) moved[final_place[place]] = values[place];
  }
  values = std::move(moved);
}

}  // namespace

void ReceivedBatch::Clear() {
  samples.clear();
  histograms.clear();
  exemplars.clear();
  starts.clear();
}

uint32_t ReceivedSource::Learn(const ReceivedLine& line, const Labels& labels, bool& is_new) {
  batches_without_new_ = 0;
  if (builder_ == nullptr) {
    builder_ = std::make_unique<LayoutBuilder>(layout_, LayoutBuilder::Use::kGoesOn);
  }
  const size_t before = builder_->new_series();
  const uint32_t place = builder_->PlaceOf(labels);
  is_new = builder_->new_series() > before;
  if (place >= last_.size()) last_.resize(place + 1);
  if (line.replica != kNoReplica) {
    replicas_.resize(lines());
    replicas_.push_back(line.replica);
  }
  hashes_.push_back(line.hash);
  places_.push_back(place);
  const bool fits = line.label_bytes <= std::numeric_limits<uint16_t>::max();
  label_bytes_.push_back(fits ? static_cast<uint16_t>(line.label_bytes) : 0);
  return lines() - 1;
}

ReceivedSource::Verdict ReceivedSource::JudgeEarlier(const Last& last, TimestampMs timestamp,
                                                     uint64_t bits, TimestampMs window) {
  if (timestamp == last.time) return bits == last.bits ? Verdict::kRepeated : Verdict::kConflict;
  // tsdb/agent: minValidTime. Senders may give any time.
  const TimestampMs before =
      last.time < LastTimes::kNever + window ? LastTimes::kNever : last.time - window;
  return timestamp > before ? Verdict::kTaken : Verdict::kOutOfOrder;
}

// As tsdb/agent, validateExemplar.
ReceivedSource::ExemplarVerdict ReceivedSource::JudgeExemplar(uint32_t place,
                                                              const ExemplarMark& mark) {
  auto [it, is_first] = layout_.exemplars_.try_emplace(place, mark);
  if (is_first) return ExemplarVerdict::kTaken;
  ExemplarMark& last = it->second;
  if (last.value == mark.value && last.timestamp == mark.timestamp) {
    return ExemplarVerdict::kRepeated;
  }
  if (mark.timestamp <= last.timestamp) return ExemplarVerdict::kOutOfOrder;
  last = mark;
  return ExemplarVerdict::kTaken;
}

void ReceivedSource::SetFamily(uint32_t place, uint64_t mark, FamilyRef family) {
  if (place >= family_marks_.size()) family_marks_.resize(last_.size());
  family_marks_[place] = mark;
  families_.insert_or_assign(mark, std::move(family));
  families_changed_ = true;
}

void ReceivedSource::SettleFamilies() {
  families_changed_ = false;
  boost::unordered_flat_map<uint64_t, FamilyRef> in_use;
  for (TargetLayout::Group& group : layout_.groups_) {
    std::vector<FamilyRef> of_series(group.definition->series());
    bool any = false;
    for (uint32_t i = 0; i < of_series.size(); i++) {
      const uint64_t mark = FamilyMark(group.first_place + i);
      if (mark == 0) continue;
      of_series[i] = FamilyOfMark(mark);
      in_use.insert_or_assign(mark, of_series[i]);
      any = true;
    }
    if (any) group.metadata = std::make_shared<const SeriesMetadata>(of_series);
  }
  families_ = std::move(in_use);
}

void ReceivedSource::ForgetLines() {
  hashes_.clear();
  places_.clear();
  label_bytes_.clear();
  replicas_.clear();
  settled_lines_ = 0;
}

void ReceivedSource::PlaceNewSeries() {
  if (builder_ == nullptr) return;
  if (builder_->new_series() == 0) {
    if (batches_without_new_++ >= kBatchesLearning) builder_.reset();
    return;
  }
  const uint32_t first = builder_->first_provisional();
  const std::vector<uint32_t> final = builder_->Settle();
  std::vector<Last> moved(final.size());
  for (size_t i = 0; i < final.size(); i++) moved[i] = last_[first + i];
  std::fill(last_.begin() + first, last_.end(), Last{});
  last_.resize(layout_.place_end_);
  for (size_t i = 0; i < final.size(); i++) last_[final[i]] = moved[i];
  MoveNew(family_marks_, first, final, layout_.place_end_);
  MoveNew(owners_, first, final, layout_.place_end_);
  std::vector<std::pair<uint32_t, ExemplarMark>> exemplars;
  for (size_t i = 0; i < final.size(); i++) {
    auto node = layout_.exemplars_.find(first + static_cast<uint32_t>(i));
    if (node == layout_.exemplars_.end()) continue;
    exemplars.emplace_back(final[i], node->second);
    layout_.exemplars_.erase(node);
  }
  for (const auto& [place, mark] : exemplars) layout_.exemplars_.insert_or_assign(place, mark);
  std::vector<uint32_t> seen;
  for (size_t i = 0; i < final.size(); i++) {
    if (seen_.Test(first + static_cast<uint32_t>(i))) seen.push_back(final[i]);
  }
  seen_.Truncate(first);
  for (const uint32_t place : seen) seen_.Set(place);
  for (size_t line = settled_lines_; line < places_.size(); line++) {
    if (places_[line] >= first) places_[line] = final[places_[line] - first];
  }
  settled_lines_ = places_.size();
  if (batch_ == nullptr) return;
  MoveToFinal(batch_->samples, first, final);
  MoveToFinal(batch_->histograms, first, final);
  MoveToFinal(batch_->exemplars, first, final);
  MoveToFinal(batch_->starts, first, final);
}

void ReceivedSource::MoveToNewPlaces(const std::vector<uint32_t>& final_place) {
  builder_.reset();
  size_t kept = 0;
  if (!replicas_.empty()) replicas_.resize(hashes_.size());
  for (size_t line = 0; line < hashes_.size(); line++) {
    const uint32_t place = final_place[places_[line]];
    if (place == TargetLayout::kNoPlace) continue;
    hashes_[kept] = hashes_[line];
    places_[kept] = place;
    label_bytes_[kept] = label_bytes_[line];
    if (!replicas_.empty()) replicas_[kept] = replicas_[line];
    kept++;
  }
  hashes_.resize(kept);
  places_.resize(kept);
  label_bytes_.resize(kept);
  settled_lines_ = kept;
  if (!replicas_.empty()) replicas_.resize(kept);
  std::vector<Last> last(layout_.place_end_);
  Bitmap seen;
  for (uint32_t place = 0; place < final_place.size() && place < last_.size(); place++) {
    if (final_place[place] == TargetLayout::kNoPlace) continue;
    last[final_place[place]] = last_[place];
    if (seen_.Test(place)) seen.Set(final_place[place]);
  }
  last_ = std::move(last);
  seen_.swap(seen);
  MoveAll(family_marks_, final_place, layout_.place_end_);
  MoveAll(owners_, final_place, layout_.place_end_);
  if (batch_ == nullptr) return;
  const auto move = [&](auto& placed) {
    for (auto& sample : placed) sample.place = final_place[sample.place];
  };
  move(batch_->samples);
  move(batch_->histograms);
  move(batch_->exemplars);
  move(batch_->starts);
}

uint32_t ReceivedSource::Find(const Labels& labels) {
  batches_without_new_ = 0;
  if (builder_ == nullptr) {
    builder_ = std::make_unique<LayoutBuilder>(layout_, LayoutBuilder::Use::kGoesOn);
  }
  return builder_->Find(labels);
}

void ReceivedSource::ChangeOwner(uint32_t place, bool is_gone, const OwnerChange& own) {
  if (owner(place) == 0) return;
  const bool was_gone = (owners_[place] & kReleased) != 0;
  if (is_gone == was_gone) return;
  owners_[place] ^= kReleased;
  own(owner(place), !is_gone);
}

bool ReceivedSource::CountAbsences(const OwnerChange& own) {
  builder_.reset();
  size_t gone = 0;
  for (const TargetLayout::Group& group : layout_.groups_) {
    for (uint32_t i = 0; i < group.definition->series(); i++) {
      const uint32_t place = group.first_place + i;
      if (seen_.Test(place)) {
        layout_.absences_.erase(place);
        ChangeOwner(place, false, own);
        continue;
      }
      uint8_t& count = layout_.absences_[place];
      if (count < TargetLayout::kAbsencesMax) count++;
      const bool is_gone = count >= TargetLayout::kAbsencesMax;
      ChangeOwner(place, is_gone, own);
      gone += is_gone;
    }
  }
  seen_.Clear(layout_.place_end_);
  return gone < layout_.series_;
}

void ReceivedSource::Slice(TimestampMs timestamp, ScrapeBuffer& buffer, bool keep_starts,
                           std::vector<Commit>& commits) {
  if (keep_starts) {
    for (TargetLayout::Group& group : layout_.groups_) {
      if (buffer.any_starts || group.starts != nullptr) UpdateStarts(group, buffer);
    }
  }
  Commit commit = SliceCommit(layout_, timestamp, buffer);
  if (!commit.groups.empty()) commits.push_back(std::move(commit));
}

void ReceivedSource::AddRecords(const ReceivedBatch::Sample* begin,
                                const ReceivedBatch::Sample* end, ScrapeBuffer& buffer,
                                bool keep_starts, std::vector<Commit>& commits) {
  buffer.present.Clear(layout_.place_end_);
  buffer.further.clear();
  for (const ReceivedBatch::Sample* sample = begin; sample != end; sample++) {
    if (buffer.present.Test(sample->place)) {
      buffer.further.push_back({sample->place, sample->timestamp, sample->value});
      continue;
    }
    buffer.values[sample->place] = sample->value;
    buffer.present.Set(sample->place);
  }
  Slice(begin->timestamp, buffer, keep_starts, commits);
}

void ReceivedSource::AddOwnTimes(ScrapeBuffer& buffer, bool keep_starts,
                                 std::vector<Commit>& commits) {
  if (buffer.timed.size() < buffer.values.size()) buffer.timed.resize(buffer.values.size());
  for (const ReceivedBatch::Sample& sample : batch_->samples) {
    if (buffer.has_timed.Test(sample.place)) {
      buffer.further.push_back({sample.place, sample.timestamp, sample.value});
    } else {
      buffer.timed[sample.place] = {sample.timestamp, sample.value};
      buffer.has_timed.Set(sample.place);
    }
  }
  Slice(batch_->samples.back().timestamp, buffer, keep_starts, commits);
}

std::vector<Commit> ReceivedSource::TakeBatch(ScrapeBuffer& buffer, bool keep_starts) {
  std::vector<Commit> commits;
  ReceivedBatch& batch = *std::exchange(batch_, nullptr);
  auto& samples = batch.samples;
  buffer.ClearSamples(layout_.place_end_);
  buffer.Grow(layout_.place_end_);
  if (!batch.starts.empty()) {
    if (buffer.starts.size() < buffer.values.size()) buffer.starts.resize(buffer.values.size());
    for (const ReceivedBatch::Start& start : batch.starts) {
      buffer.starts[start.place] = start.start;
    }
    buffer.any_starts = true;
  }
  const auto earlier = [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; };
  if (!std::is_sorted(samples.begin(), samples.end(), earlier)) {
    std::stable_sort(samples.begin(), samples.end(), earlier);
  }
  size_t times = samples.empty() ? 0 : 1;
  for (size_t i = 1; i < samples.size(); i++) {
    times += samples[i].timestamp != samples[i - 1].timestamp;
  }
  // Histograms and exemplars go with the last record.
  std::vector<ScrapeBuffer::PlacedHistogram> histograms = std::move(batch.histograms);
  std::vector<ScrapeBuffer::PlacedExemplar> exemplars = std::move(batch.exemplars);
  const auto put_irregular = [&] {
    buffer.histograms = std::move(histograms);
    buffer.exemplars = std::move(exemplars);
  };
  batch_ = &batch;
  if (times == 0) {
    put_irregular();
    const TimestampMs latest = buffer.histograms.empty()
                                   ? buffer.exemplars.back().sample.timestamp
                                   : buffer.histograms.back().sample.timestamp;
    Slice(latest, buffer, keep_starts, commits);
  } else if (times > 1 && samples.size() / times < kSamplesOfOneTime) {
    put_irregular();
    AddOwnTimes(buffer, keep_starts, commits);
  } else {
    for (size_t begin = 0; begin < samples.size();) {
      size_t end = begin + 1;
      while (end < samples.size() && samples[end].timestamp == samples[begin].timestamp) end++;
      if (end == samples.size()) put_irregular();
      AddRecords(samples.data() + begin, samples.data() + end, buffer, keep_starts, commits);
      begin = end;
    }
  }
  batch_ = nullptr;
  return commits;
}

size_t ReceivedSource::memory_bytes() const {
  return sizeof(*this) + layout_.memory_bytes() + hashes_.capacity() * sizeof(uint64_t) +
         places_.capacity() * sizeof(uint32_t) +
         (label_bytes_.capacity() + replicas_.capacity()) * sizeof(uint16_t) +
         last_.capacity() * sizeof(Last) + seen_.memory_bytes() +
         family_marks_.capacity() * sizeof(uint64_t) + owners_.capacity() * sizeof(uint16_t) +
         families_.bucket_count() * 25;
}

}  // namespace tributary
