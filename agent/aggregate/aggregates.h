// Aggregates at the edge on one worker: takes the samples of commits before they come into the log,
// cuts away what is not to be sent, and appends the aggregates' own samples.
//
// Inputs of one aggregate may be on several workers. When an interval closes, each worker posts
// what it has of each aggregate to the one whose partition of the log the aggregate is in; that one
// joins the parts and appends the result once all workers have closed the interval.
//
// What is known is saved (saved_state.h) at each close, before what is made of it leaves the
// worker: so whatever ends the process, no increase is in two intervals' samples, and no sample
// comes twice. A disk that stalls or fails holds up nothing for longer than 5 s.
//
// Without rules it is not in the way of commits, and has nothing. With rules a group's series are
// looked at once; then a record costs a look-up and each input a few operations, and nothing is
// allocated. Memory: rule_inputs.h, rule_outputs.h, group_inputs.h. One thread (the worker's loop).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "agent/aggregate/group_inputs.h"
#include "agent/aggregate/rule_inputs.h"
#include "agent/aggregate/rule_outputs.h"
#include "agent/aggregate/saved_state.h"
#include "agent/log/sample_log.h"
#include "agent/telemetry/metric_sink.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"

namespace tributary {

struct AggregateOptions {
  AggregatePlace place;  // none: a restart begins anew
  // Of the process before, shared by the workers.
  std::shared_ptr<const std::vector<SavedState>> restored = nullptr;
};

class Aggregates {
 public:
  // A worker, and its loop. In the order of the workers, the one itself among them.
  struct Peer {
    EventLoop* loop = nullptr;
    Aggregates* aggregates = nullptr;
  };

  // Loop and log outlive it, and so do disk and work of the options.
  Aggregates(EventLoop& loop, SampleLog& log, AggregateOptions options = {});
  ~Aggregates() { *self_ = nullptr; }
  Aggregates(const Aggregates&) = delete;
  Aggregates& operator=(const Aggregates&) = delete;

  // Once, before the first configuration; without it there is one worker. Peers must live as long
  // as anybody posts to their loops.
  void SetPeers(std::vector<Peer> peers);
  // Rules that were there before go on with what they know.
  void ApplyConfig(const Config& config);
  // Nothing is closed any more.
  void Stop();
  // After Stop: runs `done` when what is known has been saved, or cannot be.
  void Flush(std::function<void()> done);

  void Collect(MetricSink& sink) const;

 private:
  // What a worker has for another.
  struct Parts {
    struct OfRule {
      uint64_t rule = 0;
      TimestampMs silent_until = 0, closed = 0;
      std::vector<AggregatePart> parts;
    };
    uint32_t worker = 0;
    std::vector<OfRule> rules;
  };
  struct Rule {
    std::unique_ptr<RuleInputs> inputs;
    std::unique_ptr<RuleOutputs> outputs;
  };
  struct Downsampling {
    AnySelector match;
    uint32_t interval_ms = 0;
  };
  struct Group {
    std::weak_ptr<const GroupDefinition> definition;
    std::unique_ptr<GroupInputs> inputs;  // null: rules say nothing of its series
  };

  void Take(Commit& commit);
  Group& GroupOf(const GroupRef& definition);
  std::unique_ptr<GroupInputs> LookAt(const GroupDefinition& definition);
  void TakeInputs(GroupInputs& inputs, const GroupSamples& record);
  void TakeHistograms(GroupInputs& inputs, const GroupSamples& record);
  void Release(const GroupInputs& inputs);
  void ForgetGroups(bool all);

  void RestoreRule(Rule& rule) const;
  void Schedule();
  void Close();
  std::vector<std::shared_ptr<Parts>> CloseRules(TimestampMs now);
  void Save();
  void Saved(bool good);
  // What has waited for being saved: parts to their owners, outputs into the log.
  void Deliver();
  void TakeParts(const std::shared_ptr<Parts>& parts);
  void JoinParts(const std::shared_ptr<Parts>& parts);
  void AppendOutputs();
  Rule* Find(uint64_t rule);
  static void CollectRule(const Rule& rule, TimestampMs now, MetricSink& sink);
  size_t memory_bytes() const;

  EventLoop& loop_;
  SampleLog& log_;
  AggregateOptions options_;
  Timer timer_;
  Timer stall_timer_;
  bool saving_ = false, stalled_ = false;
  bool saved_once_ = false, save_again_ = false;
  uint64_t save_failures_ = 0;
  size_t saved_bytes_ = 0;
  std::vector<std::shared_ptr<Parts>> undelivered_;  // by worker
  std::function<void()> flushed_;                    // null: nobody waits
  std::vector<Peer> peers_;
  uint32_t worker_ = 0;
  bool stopped_ = false;
  OutputSources sources_;
  std::vector<Rule> rules_;
  std::vector<Downsampling> downsampling_;
  boost::unordered_flat_map<uint64_t, Group> groups_;  // by id
  size_t groups_after_sweep_ = 0;
  // Of rules that this worker does not know yet, until it hears of the next configuration.
  std::vector<std::shared_ptr<Parts>> early_;
  uint64_t parts_dropped_ = 0;  // of which there were too many
  CutCounts cut_;
  NativeHistogram histogram_;  // scratch
  // What the work queue has done finds out by it whether this is still there.
  std::shared_ptr<Aggregates*> self_ = std::make_shared<Aggregates*>(this);
};

}  // namespace tributary
