// One remote_write endpoint's queue on one worker: reads the log, keeps order, sends, retries.
//
// Order: every series belongs to one *lane* (a chunk of its group). A lane has at most one request
// under way, and samples of a target's generation n+1 wait until those of n are delivered or
// dropped. So shards are no more than the number of requests under way: they may change at any
// time, with nothing to drain. Follows queue_config as Prometheus documents it
// (docs/practices/remote_write; queue_manager.go).
//
// Of series that it shares with other remotes it has those that were its at the record's place in
// the log (ShareHistory); samples of a later epoch wait for those of an earlier one as those of
// generations do.
//
// Floats, histograms and exemplars are *entries* alike: order, batches and bounds count them all;
// stats tell them apart.
//
// Errors: what is refused, where it is not simply dropped, is in remote_queue_refusals.cc; a
// request keeps its lanes until all of it is delivered or dropped, whatever is sent of it
// meanwhile.
//
// One thread (the loop's). Bounds: what is read ahead of delivery is at most `capacity` entries a
// shard (and one batch); what lies beyond stays in the log.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/container/devector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/frame/block_plan.h"
#include "agent/log/sample_log.h"
#include "agent/logging/logger.h"
#include "agent/remote/credential_watch.h"
#include "agent/remote/dead_letter.h"
#include "agent/remote/frame_store.h"
#include "agent/remote/metadata_sender.h"
#include "agent/remote/prepared_group.h"
#include "agent/remote/record_filter.h"
#include "agent/remote/refused_series.h"
#include "agent/remote/remote_client.h"
#include "agent/remote/remote_ledger.h"
#include "agent/remote/remote_queue_stats.h"
#include "agent/remote/remote_quota.h"
#include "agent/remote/request_encoder.h"
#include "agent/remote/request_split.h"
#include "agent/remote/shard_calculator.h"
#include "agent/remote/share_history.h"
#include "agent/remote/split_plan.h"
#include "agent/telemetry/metric_sink.h"
#include "agent/telemetry/status.h"
#include "common/base/hash.h"

namespace tributary {

// A remote_write entry as it is to be run.
struct RemoteSpec {
  std::shared_ptr<const RemoteWriteConfig> config;
  // Queues of a worker whose rules are equal hold the same.
  std::shared_ptr<const RemoteRules> rules;
  std::shared_ptr<const SeriesShare> share = nullptr;  // null: it gets all series
};
// The rules of an entry: write_relabel_configs, external_labels, and how large chunks may be.
RemoteSpec MakeRemoteSpec(const Config& config, const RemoteWriteConfig& remote);
bool HaveEqualRules(const RemoteSpec& a, const RemoteSpec& b);

struct RemoteEnvironment {
  EventLoop& loop;
  HttpTransport& transport;
  FileSystem& files;
  SampleLog& log;
  MetadataPool& metadata;
  Logger& logger;
  std::function<uint64_t()> random;  // for jitter
  Tracer* tracer = nullptr;          // null: nothing is traced
  DeadLetterPlace dead_letters = {};
  uint64_t workers = 1;            // that send to the remote, each with a queue of its own
  FrameStore* frames = nullptr;    // null: all requests take the general path
  SeriesLimits* limits = nullptr;  // null: remotes have none
};

class RemoteQueue {
 public:
  RemoteQueue(const RemoteEnvironment& environment, RemoteSpec spec);
  // What it has not delivered stays in the log, for one with this entry in another process.
  ~RemoteQueue();
  RemoteQueue(const RemoteQueue&) = delete;
  RemoteQueue& operator=(const RemoteQueue&) = delete;

  // The latest that it was given, also while requests of an earlier one are awaited.
  const RemoteSpec& spec() const { return next_spec_ != nullptr ? *next_spec_ : spec_; }
  const RemoteWriteConfig& config() const { return *spec().config; }
  // Whether the queue already runs, or is about to run, under this.
  bool Serves(const RemoteSpec& spec) const;
  // Continues under another entry: the backlog stays. Requests under way are awaited first. Another
  // share holds for what is not in the log yet, all else for all that is not delivered.
  void Reconfigure(RemoteSpec spec);
  // So many series may it have from now on, with the queues of other workers for this entry; 0: any
  // number. What is known goes on.
  void SetSeriesLimit(uint64_t limit);
  // Its entry is gone for good: nothing is kept for it. Destroy it next.
  void Forget();
  // Sends what there is without waiting for batches to fill; `drained` runs once the log has been
  // read to its end and everything is delivered or dropped.
  void Drain(std::function<void()> drained);
  // Sends and reads nothing any more: what is written down of it now is what the next process
  // finds. What is under way may be delivered, and will come again.
  void Stop();

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
    bool maybe_delivered = false;  // by an earlier process
    uint64_t epoch = 0;            // of the remote's share
  };
  // Samples of one record for one lane.
  struct Item {
    std::shared_ptr<const GroupSamples> samples;
    Outstanding* record;
    uint64_t count = 0;  // entries of the lane's series that the remote keeps
    uint64_t taken = 0;  // of them, those that were put into requests
    MonotonicTime since{};
    bool probe = false;  // of a quarantined series: to be sent alone
    uint64_t left() const { return count - taken; }
  };
  // What a block is to be compiled of.
  struct Wish {
    BlockWish block;
    std::shared_ptr<const SeriesMetadata> metadata;
    std::shared_ptr<const StartTimes> starts;
  };
  // Of remote write 2.0: lanes whose blocks share a table of symbols, and which share requests with
  // no others. Whole groups of one generation of a target, as many as fill a request.
  struct Unit {
    uint64_t generation = 0;
    uint64_t series = 0;                // that are kept
    uint64_t series_min = 0;            // with fewer there are no frames
    uint32_t lanes = 0;                 // places in `frames`
    std::shared_ptr<FrameUnit> frames;  // null: there is no block yet, and groups may join
  };
  struct Lane {
    Group* group;
    uint32_t chunk;
    boost::container::devector<Item> items;  // empty, it takes nothing
    bool in_flight = false;
    bool ready = false;
    // Its series that the remote has refused: numbers in the group, sorted, and hashes.
    std::vector<std::pair<uint32_t, uint64_t>> refused;
    // When to compile its block; none: it has none. The last wish, until it is looked at.
    std::optional<BlockPlan> plan;
    std::optional<Wish> wish;
    bool compiling = false;  // or about to be
    uint64_t left() const;
  };
  struct Group : std::enable_shared_from_this<Group> {
    std::weak_ptr<const GroupDefinition> definition;
    uint64_t target_key;
    uint64_t epoch;
    PreparedGroup prepared;
    std::vector<Lane> lanes;
    std::shared_ptr<Unit> unit;  // null in remote write 1.0
    uint32_t first_in_unit = 0;  // of the lanes
    RemoteQuota& quota;
    Group(RemoteQueue& queue, const GroupRef& definition, uint64_t epoch);
    ~Group();
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    bool idle() const;
  };
  // What keeps generations of a target apart, and epochs of the share.
  struct TargetOrder {
    std::pair<uint64_t, uint64_t> turn{};  // epoch and generation
    uint64_t unfinished = 0;               // items of it
    // Seldom any, and an empty list takes nothing.
    std::list<std::pair<std::shared_ptr<const GroupSamples>, Outstanding*>> waiting;
  };
  // A stretch of an item in a request.
  struct Part {
    Lane* lane;
    std::shared_ptr<const GroupSamples> samples;
    Outstanding* record;
    EntryRange range;
    bool last = false;  // the item is finished with it
    bool is_whole() const { return range.skip == 0 && last; }
  };
  // What became of a piece of a request that is refused for good.
  struct RefusedPiece {
    RequestSplit::Piece piece;
    SampleCounts counts;
    WrittenStats written;
    SendOutcome outcome;
  };
  // The search for what is refused in a request.
  struct Split {
    SplitPlan plan;
    std::optional<RequestSplit> search;  // none: what is left of the request is sent whole
    RequestSplit::Piece piece;           // what is in the body
    // Answers of 429 count as refusals.
    bool by_amount = false;
    bool may_drop = true;
    bool accepted = false;  // something was
    std::vector<RefusedPiece> refused;
  };
  // Answers of 429 to a request: since when, and what came of others meanwhile.
  struct Limited {
    int in_row = 0;
    MonotonicTime since{};
    uint64_t own = 0, own_delivered = 0;  // answers of 429 and 2xx to it and to pieces of it
    uint64_t delivered_before = 0, answers_before = 0;
    bool partly_accepted = false;
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
    bool maybe_delivered = false;  // by an earlier process; of all of it or none
    bool probe = false;
    nanoseconds credentials_backoff{};  // 0: the last answer was no 401 or 403
    bool awaits_credentials = false;
    Limited limited;
    SendOutcome refusal;  // for which it is to be split
    std::unique_ptr<Split> split;
  };

  uint64_t capacity() const;
  // Of all shards of the remote this worker's part.
  uint64_t min_shards() const { return PartOf(spec_.config->queue.min_shards); }
  uint64_t max_shards() const { return PartOf(spec_.config->queue.max_shards); }
  uint64_t PartOf(uint64_t shards) const { return std::max<uint64_t>(1, shards / env_.workers); }
  void MaybeRead();
  void OnBatch(SampleLog::Batch batch);
  // Drops what the remote does not take; `read` says whether it counts as read already.
  void Filter(std::shared_ptr<const GroupSamples>& samples, bool read);
  void Accept(std::shared_ptr<const GroupSamples> samples, Outstanding* record);
  void Enqueue(std::shared_ptr<const GroupSamples> samples, Outstanding* record);
  void Push(Lane& lane, Item item);
  void MakeReady(Lane& lane);
  static std::pair<uint64_t, uint64_t> TurnOf(const GroupSamples& samples,
                                              const Outstanding& record) {
    return {record.epoch, samples.group->generation()};
  }
  Group& GroupOf(const GroupRef& definition, uint64_t epoch);
  void NoteOverLimit(uint64_t entries);
  // Whether series of the group that were over the limit may be looked at again.
  bool WantsPreparing(const Group& group) const;

  void TrySend();
  std::unique_ptr<Request> BuildRequest();
  void TakeFromLane(Lane& lane, Request& request, uint64_t& bytes);
  // What is sent alone stays so, and what may be a duplicate hurts nothing that is none.
  static bool FitsBeside(const Lane& lane, const Request& request);
  // Writes the body. False: nothing of it is young enough to be sent.
  bool Encode(Request& request);
  void Attempt(Request* request);
  void OnOutcome(Request* request, SendOutcome outcome);
  void Retry(Request* request, const SendOutcome& outcome);
  void AttemptAgain(Request* request);
  bool MaybeDuplicate(const Request& request, const SendOutcome& outcome) const;
  // The request, or a piece of it, has had its last answer: of what is in `counts`.
  void CountOutcome(const Request& request, const SendOutcome& outcome, const SampleCounts& counts,
                    const WrittenStats& written);
  void Settle(Request* request);
  void Finish(Request* request);
  void FinishItem(Outstanding* record, uint64_t target_key);
  void Unhold(Outstanding* record);
  void PopFinished();
  void CheckDrained();
  void Tick();
  void CountAppended();
  uint64_t TickCalculator();
  // Of what it is to deliver and has delivered.
  TimestampMs highest_ms() const;
  void SetTick(bool resting);
  void ApplyPendingSpec();
  void MakeClient();
  RecordFilter MakeFilter() const;
  void NoteHighest(TimestampMs& highest, TimestampMs timestamp);
  void NoteError(const std::string& message);
  // Since when the oldest sample waits that is neither delivered nor dropped; 0: none does.
  TimestampMs WaitsSinceMs() const;

  // Of remote_queue_frames.cc.
  void PlanFrames(Group& group);
  void JoinUnit(Group& group);
  // Null: in remote write 1.0, and where too few series would share a table.
  static Unit* UnitOf(const Lane& lane);
  // That can be sent; null: it has none.
  static const FrameBlock* BlockOf(const Lane& lane);
  // The lane's floats of a record are about to be sent.
  void Observe(Lane& lane, const GroupSamples& samples);
  static std::optional<BlockSource> SourceOf(Group& group, uint32_t chunk);
  // Takes the lane's block from a queue that has it.
  static bool TakeShared(const SharedBlocks& shared, const SharedBlocks::Key& key, Group& group,
                         uint32_t chunk);
  static void OnBlock(Group& group, uint32_t chunk, BlockRef block);
  // Whether all of a request of remote write 2.0 is to come from blocks, and by which symbols.
  static const FrameSymbols* SymbolsFor(const Request& request);
  size_t frame_bytes() const;
  size_t label_bytes() const;  // of what is known of groups, without frames

  // Of remote_queue_refusals.cc: each takes the request on if it returns true.
  bool HandleError(Request* request, const SendOutcome& outcome);
  void AwaitCredentials(Request* request, const SendOutcome& outcome);
  void OnCredentialsChanged();
  void FallBack(const SendOutcome& outcome);
  bool OnTooMany(Request* request, const SendOutcome& outcome);
  bool OthersAreTaken(const Request& request) const;
  uint32_t SplitRequests(const Request& request, const SendOutcome& outcome) const;
  void StartSplit(Request* request, const SendOutcome& outcome, bool by_amount, bool may_drop);
  void OnPiece(Request* request, const SendOutcome& outcome, nanoseconds duration);
  void NextPiece(Request* request, nanoseconds pause);
  void EndSplit(Request* request);
  void SendWholeAgain(Request* request);
  void Refuse(Request& request, const RefusedPiece& refused, uint64_t& quarantined);
  void WriteDeadLetter(Request& request, const RefusedPiece& refused, bool is_loss);
  void StartNextSplit();
  bool DeliveredLately() const;
  // Of remote_queue_quarantine.cc.
  uint64_t HashOf(std::string_view encoded_labels) const { return hash_(encoded_labels); }
  void FindRefused(Group& group);
  void NoteRefused(Lane& lane, uint32_t series, uint64_t hash);
  void ForgiveDelivered(const Request& request);
  bool HasQuarantined(const Lane& lane) const;
  SampleCounts EnqueueApart(Lane& lane, const std::shared_ptr<const GroupSamples>& samples,
                            Outstanding* record);
  void MakeDeadLetter();
  void CollectErrors(MetricSink& sink, const MetricLabels& labels) const;

  RemoteEnvironment env_;
  RemoteSpec spec_;
  // As it was given: after a fallback spec_ is another.
  std::shared_ptr<const RemoteWriteConfig> given_;
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

  RemoteQuota quota_;                    // before the groups, which give theirs back
  std::deque<Outstanding> outstanding_;  // by ticket
  ShareHistory shares_;
  uint64_t epoch_ = 0;  // of the last record that was read
  // By the definition's id and the epoch.
  boost::unordered_flat_map<std::pair<uint64_t, uint64_t>, std::shared_ptr<Group>> groups_;
  boost::unordered_flat_map<uint64_t, TargetOrder> targets_;
  boost::unordered_flat_map<uint64_t, std::weak_ptr<Unit>> units_;  // of a target: the last one
  std::deque<Lane*> ready_;
  std::vector<std::unique_ptr<Request>> requests_;
  Timer deadline_timer_;
  MonotonicTime ticked_;  // up to which the calculator has
  Timer tick_timer_;

  const SampleCounts appended_before_;  // when the reader was added
  const TimestampMs start_ms_;
  RecordFilter filter_;
  std::unique_ptr<RequestEncoder> encoder_;
  uint64_t shards_;
  ShardCalculator calculator_;
  uint64_t counted_in_;  // of what the log has taken
  MonotonicTime last_attempt_end_{};
  MonotonicTime reshard_disabled_until_{};
  TimestampMs highest_read_ms_ = 0;
  TimestampMs highest_sent_ms_ = 0;
  RemoteQueueStats stats_;
  Histogram batch_duration_;
  LogLimiter failure_log_{seconds(60)};
  LogLimiter eviction_log_{seconds(60)};
  LogLimiter custom_buckets_log_{seconds(60)};
  LogLimiter series_limit_log_{seconds(600)};
  LogLimiter refusal_log_{seconds(60)};
  LogLimiter credentials_log_{seconds(60)};
  std::string last_error_;
  TimestampMs last_error_ms_ = 0, last_success_ms_ = 0;  // 0: never

  std::unique_ptr<CredentialWatch> credential_watch_;  // while a request awaits credentials
  Request* splitting_ = nullptr;                       // one at a time
  std::deque<Request*> split_waiting_;
  // After a split in which nothing was accepted, the next ones are short.
  MonotonicTime short_splits_until_{};
  Request* parked_ = nullptr;  // it takes no shard
  Timer parked_timer_;
  MonotonicTime next_blind_split_{};
  uint64_t delivered_answers_ = 0, amount_answers_ = 0;
  std::optional<MonotonicTime> last_delivery_;
  const HashKey hash_;
  RefusedSeries refused_;
  std::unique_ptr<DeadLetter> dead_letter_;

  std::function<void()> drained_;
  bool draining_ = false;
  bool stopped_ = false;
};

}  // namespace tributary
