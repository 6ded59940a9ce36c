// Sends the metadata of metric families to a remote every `send_interval`, as remote write 1.0 has
// it: apart from samples, in requests of their own, one after the other. Follows
// metadata_watcher.go and QueueManager.AppendWatcherMetadata. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "agent/remote/remote_client.h"
#include "agent/series/metadata_pool.h"

namespace tributary {

struct MetadataSenderStats {
  uint64_t sent = 0, failed = 0, retried = 0, bytes = 0;
  uint64_t pending = 0;
};

class MetadataSender {
 public:
  MetadataSender(EventLoop& loop, RemoteClient& client, MetadataPool& pool,
                 std::shared_ptr<const RemoteWriteConfig> config, MetadataSenderStats& stats);
  ~MetadataSender();
  // Sends nothing more.
  void Stop();

 private:
  struct Batch {
    std::shared_ptr<const std::string> body;
    uint64_t entries;
  };
  void Collect();
  void SendNext();
  void OnOutcome(const SendOutcome& outcome);

  EventLoop& loop_;
  RemoteClient& client_;
  MetadataPool& pool_;
  std::shared_ptr<const RemoteWriteConfig> config_;
  MetadataSenderStats& stats_;
  std::deque<Batch> batches_;
  uint64_t send_ = 0;
  int attempt_ = 0;
  nanoseconds backoff_{};
  Timer interval_timer_;
  Timer retry_timer_;
};

}  // namespace tributary
