// Blocks that several queues of a worker send, as their rules are the same: who wants one that
// another has sends that, and it is in memory once.
//
// Of remote write 1.0 only: those of 2.0 refer to a table of symbols that is their queue's. One
// thread. Holds no block itself. Memory: 64 bytes or so for each that lives; one that is gone leaves
// that and its object, without the bytes, until as many are gone as live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/frame/frame_block.h"

namespace tributary {

class SharedBlocks {
 public:
  struct Key {
    uint64_t rules = 0;  // RemoteRules::id
    uint64_t group = 0;  // GroupDefinition::id()
    uint32_t begin = 0;  // of the block's series
    bool operator==(const Key&) const = default;
  };

  // One of exactly these series; null: nobody has it.
  BlockRef Find(const Key& key, const BlockBits& members, FrameTimes times) const;
  // In place of the one before.
  void Add(const Key& key, const BlockRef& block);
  size_t memory_bytes() const { return blocks_.bucket_count() * (sizeof(Key) + sizeof(Block) + 1); }

 private:
  using Block = std::weak_ptr<const FrameBlock>;
  struct Hash {
    size_t operator()(const Key& key) const;
  };

  static constexpr size_t kPurgeMin = 256;

  boost::unordered_flat_map<Key, Block, Hash> blocks_;
  size_t purge_at_ = kPurgeMin;
};

}  // namespace tributary
