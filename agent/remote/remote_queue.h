// One remote_write endpoint's queue on one worker: reads the log, keeps order, sends, retries.
//
// Order: every series belongs to one *lane* (a chunk of its group). A lane has at most one request
// under way, and samples of a target's generation n+1 wait until those of n are delivered or
// dropped. So shards are no more than the number of requests under way: they may change at any
// time, with nothing to drain. Follows queue_config as Prometheus documents it
// (docs/practices/remote_write; queue_manager.go).
//
// Floats, histograms and exemplars are *entries* alike: order, batches and bounds count them all;
// stats tell them apart.
//
// One thread (the loop's). Bounds: what is read ahead of delivery is at most `capacity` entries a
// shard (and one batch); what lies beyond stays in the log.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/log/sample_log.h"
#include "agent/logging/logger.h"
#include "agent/remote/metadata_sender.h"
#include "agent/remote/prepared_group.h"
#include "agent/remote/record_filter.h"
#include "agent/remote/remote_client.h"
#include "agent/remote/remote_ledger.h"
#include "agent/remote/remote_queue_stats.h"
#include "agent/remote/request_encoder.h"
#include "agent/remote/shard_calculator.h"
#include "agent/telemetry/metric_sink.h"
#include "agent/telemetry/status.h"

namespace tributary {

// A remote_write entry as it is to be run.
struct RemoteSpec {
  std::shared_ptr<const RemoteWriteConfig> config;
  std::shared_ptr<const RemoteRules> rules;
};
// The rules of an entry: write_relabel_configs, external_labels, and how large chunks may be.
RemoteSpec MakeRemoteSpec(const Config& config, const RemoteWriteConfig& remote);

struct RemoteEnvironment {
  EventLoop& loop;
  HttpTransport& transport;
  FileSystem& files;
  SampleLog& log;
  MetadataPool& metadata;
  Logger& logger;
  std::function<uint64_t()> random;  // for jitter
  Tracer* tracer = nullptr;          // null: nothing is traced
};

class RemoteQueue {
 public:
  RemoteQueue(const RemoteEnvironment& environment, RemoteSpec spec);
  // What it has not delivered stays in the log, for one with this entry in another process.
  ~RemoteQueue();
  RemoteQueue(const RemoteQueue&) = delete;
  RemoteQueue& operator=(const RemoteQueue&) = delete;

  // The latest that it was given, also while requests of an earlier one are awaited.
  const RemoteWriteConfig& config() const {
    return next_spec_ != nullptr ? *next_spec_->config : *spec_.config;
  }
  // Whether the queue already runs, or is about to run, under this.
  bool Serves(const RemoteSpec& spec) const;
  // Continues under another entry: the backlog stays. Requests under way are awaited first.
  void Reconfigure(RemoteSpec spec);
  // Its entry is gone for good: nothing is kept for it. Destroy it next.
  void Forget();
  // Sends what there is without waiting for batches to fill; `drained` runs once the log has been
  // read to its end and everything is delivered or dropped.
  void Drain(std::function<void()> drained);

  // read = sent + failed + dropped + pending, for each kind.
  const RemoteQueueStats& stats() const { return stats_; }
  const SampleCounts& pending() const { return pending_; }
  // What is in the log and was not read yet, of all kinds.
  SampleCounts unread() const { return env_.log.Unread(reader_); }
  RemoteLedger ledger() const;
  void Collect(MetricSink& sink) const;
  RemoteStatus status() const;

 private:
  struct Group;
  // A record of the log of which something is not delivered yet.
  struct Outstanding {
    uint64_t ticket;
    uint32_t unfinished = 0;
    MonotonicTime read{};
    TimestampMs timestamp = 0;
  };
  // Samples of one record for one lane.
  struct Item {
    std::shared_ptr<const GroupSamples> samples;
    Outstanding* record;
    uint64_t count = 0;  // entries of the lane's series that the remote keeps
    uint64_t taken = 0;  // of them, those that were put into requests
    MonotonicTime since{};
    uint64_t left() const { return count - taken; }
  };
  struct Lane {
    Group* group;
    uint32_t chunk;
    std::deque<Item> items;
    bool in_flight = false;
    bool ready = false;
    uint64_t left() const;
  };
  struct Group {
    std::weak_ptr<const GroupDefinition> definition;
    uint64_t target_key;
    PreparedGroup prepared;
    std::vector<Lane> lanes;
    Group(const GroupRef& definition, const RemoteRules& rules);
    bool idle() const;
  };
  // What keeps generations of a target apart.
  struct TargetOrder {
    uint64_t generation = 0;
    uint64_t unfinished = 0;  // items of `generation`
    std::deque<std::pair<std::shared_ptr<const GroupSamples>, Outstanding*>> waiting;
  };
  // A stretch of an item in a request.
  struct Part {
    Lane* lane;
    std::shared_ptr<const GroupSamples> samples;
    Outstanding* record;
    EntryRange range;
    bool last = false;  // the item is finished with it
  };
  struct Request {
    std::vector<Part> parts;
    uint64_t entries = 0;
    std::shared_ptr<const std::string> body;
    SampleCounts in_body;  // less what has become too old
    WrittenStats written;  // by all attempts
    TimestampMs earliest = 0, latest = 0;
    // What is from before is not in the body: too old when it was last written.
    TimestampMs oldest_allowed = std::numeric_limits<TimestampMs>::min();
    int attempt = 0;
    nanoseconds backoff{};
    MonotonicTime started{};
    uint64_t send = 0;  // 0: waiting for the next attempt
    std::unique_ptr<Timer> timer;
  };

  uint64_t capacity() const;
  void MaybeRead();
  void OnBatch(SampleLog::Batch batch);
  // Drops what the remote does not take; `read` says whether it counts as read already.
  void Filter(std::shared_ptr<const GroupSamples>& samples, bool read);
  void Accept(std::shared_ptr<const GroupSamples> samples, Outstanding* record);
  void Enqueue(std::shared_ptr<const GroupSamples> samples, Outstanding* record);
  void Push(Lane& lane, Item item);
  void MakeReady(Lane& lane);
  Group& GroupOf(const GroupRef& definition);

  void TrySend();
  std::unique_ptr<Request> BuildRequest();
  void TakeFromLane(Lane& lane, Request& request, uint64_t& bytes);
  // Writes the body. False: nothing of it is young enough to be sent.
  bool Encode(Request& request);
  void Attempt(Request* request);
  void OnOutcome(Request* request, SendOutcome outcome);
  void Retry(Request* request, const SendOutcome& outcome);
  // The request has had its last answer.
  void CountOutcome(const Request& request, const SendOutcome& outcome);
  void Settle(Request* request);
  void Finish(Request* request);
  void FinishItem(Outstanding* record, uint64_t target_key);
  void Unhold(Outstanding* record);
  void PopFinished();
  void CheckDrained();
  void Tick();
  void ApplyPendingSpec();
  void MakeClient();
  void NoteHighest(TimestampMs& highest, TimestampMs timestamp);
  void NoteError(const std::string& message);
  // Since when the oldest sample waits that is neither delivered nor dropped; 0: none does.
  TimestampMs WaitsSinceMs() const;

  RemoteEnvironment env_;
  RemoteSpec spec_;
  std::unique_ptr<RemoteSpec> next_spec_;
  std::unique_ptr<RemoteClient> client_;
  MetadataSenderStats metadata_stats_;
  std::unique_ptr<MetadataSender> metadata_sender_;  // of remote write 1.0
  SampleLog::ReaderId reader_;
  bool forgotten_ = false;
  bool reading_ = false;
  bool more_to_read_ = true;
  SampleCounts pending_;        // read and not finished
  uint64_t ready_entries_ = 0;  // in lanes that could be sent now

  std::deque<Outstanding> outstanding_;  // by ticket
  boost::unordered_flat_map<uint64_t, std::unique_ptr<Group>> groups_;
  boost::unordered_flat_map<uint64_t, TargetOrder> targets_;
  std::deque<Lane*> ready_;
  std::vector<std::unique_ptr<Request>> requests_;
  Timer deadline_timer_;
  Timer tick_timer_;

  const SampleCounts appended_before_, recovered_;  // when the reader was added
  const TimestampMs start_ms_;
  RecordFilter filter_;
  std::unique_ptr<RequestEncoder> encoder_;
  uint64_t shards_;
  ShardCalculator calculator_;
  MonotonicTime last_attempt_end_{};
  MonotonicTime reshard_disabled_until_{};
  TimestampMs highest_read_ms_ = 0;
  TimestampMs highest_sent_ms_ = 0;
  RemoteQueueStats stats_;
  Histogram batch_duration_;
  LogLimiter failure_log_{seconds(60)};
  LogLimiter eviction_log_{seconds(60)};
  LogLimiter custom_buckets_log_{seconds(60)};
  std::string last_error_;
  TimestampMs last_error_ms_ = 0, last_success_ms_ = 0;  // 0: never
  std::function<void()> drained_;
  bool draining_ = false;
};

}  // namespace tributary
