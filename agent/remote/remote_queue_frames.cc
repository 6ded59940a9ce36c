// The part of the queue that has blocks compiled of what it sends.
#include <memory>
#include <utility>
#include <vector>

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

}  // namespace

void RemoteQueue::Observe(Lane& lane, const GroupSamples& samples) {
  if (!lane.plan) return;
  const PreparedGroup& prepared = lane.group->prepared;
  const uint32_t chunk = lane.chunk;
  lane.wish = lane.plan->Observe(prepared.block(chunk).get(), samples, prepared.kept(chunk));
  if (!lane.wish || lane.compiling) return;
  lane.compiling = true;
  // The group goes with its target, and all groups when the rules change.
  const std::weak_ptr<Group> group = groups_.at(samples.group->id());
  CompileTask task;
  task.source = [group, chunk]() -> std::optional<BlockSource> {
    const std::shared_ptr<Group> held = group.lock();
    if (held == nullptr) return std::nullopt;
    return SourceOf(*held, chunk);
  };
  task.done = [group, chunk](BlockRef block) {
    const std::shared_ptr<Group> held = group.lock();
    if (held != nullptr) OnBlock(*held, chunk, std::move(block));
  };
  env_.frames->Add(std::move(task));
}

std::optional<BlockSource> RemoteQueue::SourceOf(Group& group, uint32_t chunk) {
  Lane& lane = group.lanes[chunk];
  const std::optional<BlockWish> wish = std::exchange(lane.wish, std::nullopt);
  if (!wish) {
    lane.compiling = false;
    return std::nullopt;
  }
  BlockSource source;
  source.encoded = EncodedOf(group.prepared, chunk);
  source.begin = group.prepared.begin(chunk);
  source.end = group.prepared.end(chunk);
  source.times = wish->times;
  source.wanted = wish->series;
  return source;
}

void RemoteQueue::OnBlock(Group& group, uint32_t chunk, BlockRef block) {
  Lane& lane = group.lanes[chunk];
  lane.compiling = false;
  // It cannot be compiled, and would not be the next time.
  if (block == nullptr) lane.plan.reset();
  group.prepared.SetBlock(chunk, std::move(block));
}

size_t RemoteQueue::frame_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, group] : groups_) bytes += group->prepared.frame_bytes();
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
