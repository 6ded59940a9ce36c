// The part of the queue that has blocks compiled of what it sends.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "agent/remote/chunk_samples.h"
#include "agent/remote/remote_queue.h"

namespace tributary {

namespace {

// As BlockSource has them.
std::string EncodedOf(const PreparedGroup& prepared, uint32_t chunk) {
  std::string encoded;
  std::vector<std::string_view> labels;
  prepared.Encoded(chunk, encoded, labels);
  return encoded;
}

// Of remote write 2.0. With fewer series to a request than this the general path costs less than
// the request does; and of what requests may have, a quarter is to be in them, as each takes its
// time where a remote is far away.
constexpr uint64_t kUnitSeriesMin = 100;
constexpr uint64_t kUnitSizeMin = 4;
// Each request has all of its unit's symbols: with few of the unit's series in it they would be
// more bytes than frames are worth.
constexpr uint64_t kUnitPartMin = 4;

bool HasIrregular(const GroupSamples& samples, const PreparedGroup& prepared, uint32_t chunk) {
  bool has = false;
  auto note = [&](const auto&) { has = true; };
  ForEachIrregular(samples, prepared, chunk, note, note);
  return has;
}

}  // namespace

RemoteQueue::Group::~Group() {
  quota.Release(prepared);
  if (unit == nullptr) return;
  unit->series -= prepared.kept_count();
  if (unit->frames == nullptr) return;
  for (const Lane& lane : lanes) unit->frames->Set(first_in_unit + lane.chunk, nullptr);
}

void RemoteQueue::PlanFrames(Group& group) {
  const bool is_v2 = spec_.config->message == RemoteWriteMessage::kV2;
  for (Lane& lane : group.lanes) {
    lane.plan.emplace(group.prepared.begin(lane.chunk), group.prepared.end(lane.chunk), is_v2);
  }
  if (is_v2) JoinUnit(group);
}

void RemoteQueue::JoinUnit(Group& group) {
  const uint64_t series = group.prepared.kept_count();
  const GroupRef definition = group.definition.lock();
  std::weak_ptr<Unit>& last = units_[group.target_key];
  group.unit = last.lock();
  if (group.unit == nullptr || group.unit->frames != nullptr ||
      group.unit->generation != definition->generation() ||
      group.unit->series + series > spec_.config->queue.max_samples_per_send) {
    group.unit = std::make_shared<Unit>();
    group.unit->generation = definition->generation();
    group.unit->series_min =
        std::max(kUnitSeriesMin, spec_.config->queue.max_samples_per_send / kUnitSizeMin);
    last = group.unit;
  }
  group.first_in_unit = group.unit->lanes;
  group.unit->lanes += group.prepared.chunks();
  group.unit->series += series;
}

RemoteQueue::Unit* RemoteQueue::UnitOf(const Lane& lane) {
  Unit* unit = lane.group->unit.get();
  return unit == nullptr || unit->series < unit->series_min ? nullptr : unit;
}

const FrameBlock* RemoteQueue::BlockOf(const Lane& lane) {
  const FrameBlock* block = lane.group->prepared.block(lane.chunk).get();
  const Unit* unit = lane.group->unit.get();
  if (block == nullptr || unit == nullptr) return block;
  // It may be of a unit that has been given up.
  const bool is_of_unit =
      unit->frames != nullptr && block->origin().table == unit->frames->symbols().id();
  return is_of_unit ? block : nullptr;
}

void RemoteQueue::Observe(Lane& lane, const GroupSamples& samples) {
  if (!lane.plan) return;
  Unit* unit = UnitOf(lane);
  const bool is_v2 = lane.group->unit != nullptr;
  if (is_v2 && unit == nullptr) return;
  // All blocks are compiled again then; until they are there the general path does.
  if (is_v2 && unit->frames != nullptr && unit->frames->wants_rebuild()) unit->frames = nullptr;
  const uint32_t chunk = lane.chunk;
  const BlockBits kept = lane.group->prepared.kept(chunk);
  const std::optional<BlockWish> wish = lane.plan->Observe(BlockOf(lane), samples, kept);
  lane.wish.reset();
  if (!wish) return;
  lane.wish = {*wish, is_v2 ? samples.metadata : nullptr, is_v2 ? samples.starts : nullptr};
  if (lane.compiling) return;
  lane.compiling = true;
  if (is_v2 && unit->frames == nullptr) unit->frames = std::make_shared<FrameUnit>(unit->lanes);
  // The group goes with its target, and all groups when the rules change.
  const std::weak_ptr<Group> group = lane.group->weak_from_this();
  // Null: nobody could use it besides.
  SharedBlocks* const shared =
      !is_v2 && spec_.rules.use_count() > 1 && lane.group->prepared.elsewhere().empty()
          ? &env_.frames->shared()
          : nullptr;
  const SharedBlocks::Key key{spec_.rules->id, samples.group->id(),
                              lane.group->prepared.begin(chunk)};
  CompileTask task;
  if (is_v2) task.unit = unit->frames;
  task.source = [group, chunk, shared, key]() -> std::optional<BlockSource> {
    const std::shared_ptr<Group> held = group.lock();
    if (held == nullptr) return std::nullopt;
    if (shared != nullptr && TakeShared(*shared, key, *held, chunk)) return std::nullopt;
    return SourceOf(*held, chunk);
  };
  task.done = [group, chunk, shared, key](BlockRef block) {
    const std::shared_ptr<Group> held = group.lock();
    if (held == nullptr) return;
    if (shared != nullptr && block != nullptr) shared->Add(key, block);
    OnBlock(*held, chunk, std::move(block));
  };
  env_.frames->Add(std::move(task));
}

bool RemoteQueue::TakeShared(const SharedBlocks& shared, const SharedBlocks::Key& key, Group& group,
                             uint32_t chunk) {
  Lane& lane = group.lanes[chunk];
  if (!lane.wish) return false;
  const BlockBits members = CommonBits(lane.wish->block.series, group.prepared.kept(chunk));
  BlockRef block = shared.Find(key, members, lane.wish->block.times);
  if (block == nullptr) return false;
  lane.wish.reset();
  OnBlock(group, chunk, std::move(block));
  return true;
}

std::optional<BlockSource> RemoteQueue::SourceOf(Group& group, uint32_t chunk) {
  Lane& lane = group.lanes[chunk];
  std::optional<Wish> wish = std::exchange(lane.wish, std::nullopt);
  if (!wish) {
    lane.compiling = false;
    return std::nullopt;
  }
  BlockSource source;
  source.encoded = EncodedOf(group.prepared, chunk);
  source.begin = group.prepared.begin(chunk);
  source.end = group.prepared.end(chunk);
  source.times = wish->block.times;
  source.wanted = wish->block.series;
  source.metadata = std::move(wish->metadata);
  source.starts = std::move(wish->starts);
  return source;
}

void RemoteQueue::OnBlock(Group& group, uint32_t chunk, BlockRef block) {
  Lane& lane = group.lanes[chunk];
  lane.compiling = false;
  // It cannot be compiled, and would not be the next time.
  if (block == nullptr) lane.plan.reset();
  group.prepared.SetBlock(chunk, std::move(block));
  // Of a unit that was given up meanwhile it is of no use.
  if (BlockOf(lane) == nullptr || group.unit == nullptr) return;
  Unit& unit = *group.unit;
  const size_t at = group.first_in_unit + chunk;
  const bool is_first = unit.frames->block(at) == nullptr;
  unit.frames->Set(at, group.prepared.block(chunk));
  // What comes after the first ones of all lanes may be symbols in vain.
  if (is_first) unit.frames->Seal();
}

const FrameSymbols* RemoteQueue::SymbolsFor(const Request& request) {
  const Unit* unit = UnitOf(*request.parts.front().lane);
  if (unit == nullptr || unit->frames == nullptr) return nullptr;
  uint64_t samples = 0;
  for (const Part& part : request.parts) {
    const Lane& lane = *part.lane;
    const PreparedGroup& prepared = lane.group->prepared;
    const FrameBlock* block = BlockOf(lane);
    if (UnitOf(lane) != unit || !part.is_whole() || block == nullptr) return nullptr;
    const FrameFit fit = FitOf(*block, *part.samples);
    if (fit.way == FrameFit::Way::kGeneral || fit.earliest < request.oldest_allowed ||
        !IsEmpty(CommonBits(fit.others, prepared.kept(lane.chunk))) ||
        HasIrregular(*part.samples, prepared, lane.chunk)) {
      return nullptr;
    }
    samples += fit.samples;
  }
  return samples * kUnitPartMin >= unit->frames->series() ? &unit->frames->symbols() : nullptr;
}

size_t RemoteQueue::frame_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, group] : groups_) {
    bytes += group->prepared.frame_bytes();
    const Unit* unit = group->unit.get();
    const bool counts_unit = unit != nullptr && group->first_in_unit == 0;
    if (counts_unit && unit->frames != nullptr) bytes += unit->frames->symbols().memory_bytes();
  }
  return bytes;
}

size_t RemoteQueue::label_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, group] : groups_) {
    bytes += sizeof(*group) + group->lanes.capacity() * sizeof(Lane);
    bytes += group->prepared.memory_bytes() - group->prepared.frame_bytes();
  }
  return bytes;
}

}  // namespace tributary
