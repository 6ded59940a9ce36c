// The part of the queue that leaves out what the remote has refused before, and keeps it for
// people.
#include <algorithm>
#include <string>
#include <utility>

#include "agent/remote/chunk_samples.h"
#include "agent/remote/remote_queue.h"

namespace tributary {

void RemoteQueue::FindRefused(Group& group) {
  std::string buffer;
  std::vector<std::string_view> labels;
  for (Lane& lane : group.lanes) {
    group.prepared.Encoded(lane.chunk, buffer, labels);
    const uint32_t begin = group.prepared.begin(lane.chunk);
    for (uint32_t i = 0; i < labels.size(); i++) {
      if (labels[i].empty()) continue;
      const uint64_t hash = HashOf(labels[i]);
      if (refused_.Knows(hash)) lane.refused.emplace_back(begin + i, hash);
    }
  }
}

void RemoteQueue::NoteRefused(Lane& lane, uint32_t series, uint64_t hash) {
  const std::pair<uint32_t, uint64_t> entry{series, hash};
  const auto at = std::lower_bound(lane.refused.begin(), lane.refused.end(), entry);
  if (at == lane.refused.end() || *at != entry) lane.refused.insert(at, entry);
}

// What the remote takes is refused no more 'in a row'. What is quarantined has to be taken alone.
void RemoteQueue::ForgiveDelivered(const Request& request) {
  for (const Part& part : request.parts) {
    std::erase_if(part.lane->refused, [&](const auto& entry) {
      const SampleCounts counts = CountOf(*part.samples, entry.first);
      if (counts.samples + counts.histograms == 0) return false;
      if (!request.probe && refused_.Quarantined(entry.second) != nullptr) return false;
      refused_.Accepted(entry.second);
      return true;
    });
  }
}

bool RemoteQueue::HasQuarantined(const Lane& lane) const {
  return std::any_of(lane.refused.begin(), lane.refused.end(), [&](const auto& entry) {
    return refused_.Quarantined(entry.second) != nullptr;
  });
}

// Puts what is not quarantined into the lane, and behind it, each alone, what is to be tried again.
// Returns what is left out.
SampleCounts RemoteQueue::EnqueueApart(Lane& lane,
                                       const std::shared_ptr<const GroupSamples>& samples,
                                       Outstanding* record) {
  const PreparedGroup& prepared = lane.group->prepared;
  SampleCounts left_out;
  std::vector<uint32_t> quarantined, probes;
  std::string buffer;
  std::vector<std::string_view> labels;
  for (const auto& [series, hash] : lane.refused) {
    const auto words = refused_.Quarantined(hash);
    if (words == nullptr) continue;
    quarantined.push_back(series);
    const SampleCounts counts = CountOf(*samples, series);
    if (counts.samples + counts.histograms > 0 && refused_.TakeProbe(hash, env_.loop.Now())) {
      probes.push_back(series);
      continue;
    }
    left_out += counts;
    if (dead_letter_ == nullptr || counts.total() == 0) continue;
    if (!dead_letter_->HasRoom()) {
      stats_.dead_letters.lost += counts.total();
      continue;
    }
    if (labels.empty()) prepared.Encoded(lane.chunk, buffer, labels);
    dead_letter_->Add(
        DeadLetterLine({env_.loop.WallMs(), spec_.config->name, words->status, words->message},
                       labels[series - prepared.begin(lane.chunk)], *samples, series),
        counts.total());
  }
  auto push = [&](std::shared_ptr<const GroupSamples> some, bool probe) {
    const uint64_t count = CountKept(*some, prepared, lane.chunk).total();
    if (count == 0) return;
    record->unfinished++;
    targets_[lane.group->target_key].unfinished++;
    Push(lane, {std::move(some), record, count, 0, record->read, probe});
  };
  push(KeepSeries(*samples, prepared, lane.chunk, quarantined, true), false);
  for (const uint32_t series : probes) {
    stats_.probes++;
    push(KeepSeries(*samples, prepared, lane.chunk, {series}, false), true);
  }
  return left_out;
}

void RemoteQueue::MakeDeadLetter() {
  const uint64_t size = spec_.config->errors.dead_letter_size;
  if (!env_.dead_letters.exists() || size == 0) return dead_letter_.reset();
  dead_letter_ = std::make_unique<DeadLetter>(env_.loop, env_.dead_letters, spec_.config->name,
                                              size, env_.logger, stats_.dead_letters);
}

}  // namespace tributary
