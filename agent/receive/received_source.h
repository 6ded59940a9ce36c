// The series of one source of what is received: those that share `job`, `instance` and `cluster`,
// which mostly are one target of the sender's, scraped at one time. So they have a layout like a
// target that is scraped here (agent/layout): places, groups, generations; and their samples are
// records of one time.
//
// A *line* is how a sender writes a series: a hash of its labels' bytes, and the place of the
// series. Several lines may stand for one series (other encodings, replicas). Lines are in the
// order in which they first came, which is mostly the order in which they come again.
//
// A series that was in no request between three sweeps in a row is gone, and leaves with the next
// regrouping.
//
// Memory: some 62 bytes a series and its definition. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/layout/layout_builder.h"
#include "agent/layout/scrape_buffer.h"
#include "agent/layout/target_layout.h"
#include "agent/series/samples.h"

namespace tributary {

// The samples of a source in a request, until the request has been read. Reused.
struct ReceivedBatch {
  struct Sample {
    uint32_t place;
    TimestampMs timestamp;
    double value;
  };
  struct Start {
    uint32_t place;
    TimestampMs start;
  };
  std::vector<Sample> samples;  // in the order of the request
  std::vector<ScrapeBuffer::PlacedHistogram> histograms;
  std::vector<ScrapeBuffer::PlacedExemplar> exemplars;
  std::vector<Start> starts;

  bool empty() const { return samples.empty() && histograms.empty() && exemplars.empty(); }
  void Clear();
};

// How a sender writes a series.
struct ReceivedLine {
  static constexpr uint16_t kNoReplica = 0;
  uint64_t hash = 0;
  size_t label_bytes = 0;
  uint16_t replica = kNoReplica;
};

class ReceivedSource {
 public:
  static constexpr uint16_t kNoReplica = ReceivedLine::kNoReplica;

  using OwnerChange = std::function<void(uint16_t owner, bool lives)>;

  ReceivedSource(uint64_t key, uint32_t first_generation) : layout_(key, first_generation) {}
  ReceivedSource(const ReceivedSource&) = delete;
  ReceivedSource& operator=(const ReceivedSource&) = delete;

  const TargetLayout& layout() const { return layout_; }
  uint32_t lines() const { return static_cast<uint32_t>(hashes_.size()); }
  uint64_t hash(uint32_t line) const { return hashes_[line]; }
  uint32_t place(uint32_t line) const { return places_[line]; }
  uint16_t replica(uint32_t line) const {
    return line < replicas_.size() ? replicas_[line] : kNoReplica;
  }
  // How many bytes its labels take in a request of 1.0, where that is all that was hashed; 0: it is
  // not known.
  uint16_t label_bytes(uint32_t line) const { return label_bytes_[line]; }
  // A line that is not known yet. `is_new` says whether its series is new as well.
  uint32_t Learn(const ReceivedLine& line, const Labels& labels, bool& is_new);

  // Of which sender the series at the place is, or was when it had gone; 0: of nobody.
  uint16_t owner(uint32_t place) const {
    return place < owners_.size() ? owners_[place] & ~kReleased : 0;
  }
  void SetOwner(uint32_t place, uint16_t owner) {
    if (place >= owners_.size()) owners_.resize(place + 1);
    owners_[place] = owner;
  }
  void ForgetOwners() { owners_ = {}; }
  // The place of the series; TargetLayout::kNoPlace: it is not known.
  uint32_t Find(const Labels& labels);

  // What becomes of a sample, by those that came before: a later one than all of them is taken, and
  // one that is no earlier than `window` before the last; the last one that comes again with its
  // value is as good as taken.
  enum class Verdict : uint8_t { kTaken, kRepeated, kConflict, kOutOfOrder };
  // `bits`: the value's, or what stands for it.
  Verdict Judge(uint32_t place, TimestampMs timestamp, uint64_t bits, TimestampMs window) {
    Last& last = last_[place];
    seen_.Set(place);
    if (timestamp > last.time) {
      last = {timestamp, bits};
      return Verdict::kTaken;
    }
    return JudgeEarlier(last, timestamp, bits, window);
  }
  // Whether the exemplar is later than the last of its series; then it is the last.
  enum class ExemplarVerdict : uint8_t { kTaken, kRepeated, kOutOfOrder };
  ExemplarVerdict JudgeExemplar(uint32_t place, const ExemplarMark& mark);

  // What is said of the series' family, for remote write 2.0: known by a hash, 0 is nothing.
  uint64_t FamilyMark(uint32_t place) const {
    return place < family_marks_.size() ? family_marks_[place] : 0;
  }
  // Null: none of the source's series has had it.
  FamilyRef FamilyOfMark(uint64_t mark) const {
    auto it = families_.find(mark);
    return it == families_.end() ? nullptr : it->second;
  }
  void SetFamily(uint32_t place, uint64_t mark, FamilyRef family);

  // Where the request that is being read has its samples of this source; null: nowhere yet.
  ReceivedBatch* batch() const { return batch_; }
  void SetBatch(ReceivedBatch* batch) { batch_ = batch; }

  // New series get their places. If lines get other numbers by that, `forget` is called with the
  // hash of each before, and then `remember` with each as it is now.
  template <typename Forget, typename Remember>
  void Settle(Forget forget, Remember remember) {
    PlaceNewSeries();
    if (LayoutBuilder::WantsRegroup(layout_)) Regroup(forget, remember);
    if (families_changed_) SettleFamilies();
  }
  // The records of the batch, and ends it. After Settle. `buffer` is scratch.
  std::vector<Commit> TakeBatch(ScrapeBuffer& buffer, bool keep_starts);

  // Counts the series that have not been seen since the last sweep. False: all are gone. `own` is
  // called with the owner of each that is gone now, or is there again, and which of the two.
  template <typename Forget, typename Remember>
  bool Sweep(Forget forget, Remember remember, const OwnerChange& own) {
    if (!CountAbsences(own)) return false;
    if (LayoutBuilder::WantsRegroup(layout_)) Regroup(forget, remember);
    return true;
  }

  // As if none of its lines had come yet; the series stay.
  void ForgetLines();

  size_t memory_bytes() const;

 private:
  struct Last {
    TimestampMs time = LastTimes::kNever;
    uint64_t bits = 0;
  };

  static Verdict JudgeEarlier(const Last& last, TimestampMs timestamp, uint64_t bits,
                              TimestampMs window);
  void PlaceNewSeries();
  void SettleFamilies();
  bool CountAbsences(const OwnerChange& own);
  template <typename Forget, typename Remember>
  void Regroup(Forget forget, Remember remember) {
    for (const uint64_t hash : hashes_) forget(hash);
    // What has come since the last sweep lives, though it may not have been counted so yet.
    seen_.ForEach([this](uint32_t place) { layout_.absences_.erase(place); });
    MoveToNewPlaces(LayoutBuilder::Regroup(layout_));
    for (uint32_t line = 0; line < lines(); line++) remember(hashes_[line], line);
  }
  // Keeps the count of owners' series.
  void ChangeOwner(uint32_t place, bool is_gone, const OwnerChange& own);
  void MoveToNewPlaces(const std::vector<uint32_t>& final_place);
  void AddRecords(const ReceivedBatch::Sample* begin, const ReceivedBatch::Sample* end,
                  ScrapeBuffer& buffer, bool keep_starts, std::vector<Commit>& commits);
  void AddOwnTimes(ScrapeBuffer& buffer, bool keep_starts, std::vector<Commit>& commits);
  void Slice(TimestampMs timestamp, ScrapeBuffer& buffer, bool keep_starts,
             std::vector<Commit>& commits);

  static constexpr uint16_t kReleased = 0x8000;  // with an owner: it has gone and does not count

  TargetLayout layout_;
  // While new lines come: with an index of all series.
  std::unique_ptr<LayoutBuilder> builder_;
  uint32_t batches_without_new_ = 0;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> places_;
  std::vector<uint16_t> label_bytes_;
  std::vector<uint16_t> replicas_;      // empty as long as none has one
  size_t settled_lines_ = 0;            // whose places are final
  std::vector<Last> last_;              // by place
  Bitmap seen_;                         // places, since the last sweep
  std::vector<uint16_t> owners_;        // by place; empty where senders have no limit
  std::vector<uint64_t> family_marks_;  // by place; empty as long as nothing is said
  boost::unordered_flat_map<uint64_t, FamilyRef> families_;  // by mark
  bool families_changed_ = false;
  ReceivedBatch* batch_ = nullptr;
};

}  // namespace tributary
