// What a worker does with requests of remote write that others send to it: checks, decompresses,
// takes what is good (write_intake.h), and answers once that is in the log.
//
// A request may come to any worker. With several of them each series belongs to one, by the
// partition of the log in which its source is, so that its samples stay in order by whichever
// connection they come: the worker that has the request hands each of the others its part.
//
// Everything on the worker's loop. Bounds: a request is decompressed only if it says that it is
// within the limit, and could be: snappy makes at most 64 bytes of three.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/receive/write_exchange.h"
#include "agent/receive/write_intake.h"
#include "agent/telemetry/metric_sink.h"
#include "common/config/model.h"

namespace tributary {

class Receiver {
 public:
  using Done = WriteDone;
  struct Peer {
    EventLoop* loop;
    Receiver* receiver;
  };

  Receiver(EventLoop& loop, SampleLog& log, MetadataPool& metadata, const HashKey& hash,
           ReplicaElection& election, const std::atomic<ShedStep>* shed,
           SeriesLimits* limits = nullptr);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // All workers' receivers in their order, itself among them; before the first request. They
  // outlive each other's requests. Not called: there is one.
  void SetPeers(std::vector<Peer> peers) { peers_ = std::move(peers); }
  // `keep_starts`: of counts. `series_families`: as in ReceiveEnvironment.
  void ApplyConfig(const Config& config, bool keep_starts, MetadataPool* series_families);
  // `done` runs once, now or later on the loop, unless the receiver is gone.
  void Take(const IncomingWrite& request, Done done);
  // Takes nothing more.
  void Stop() { stopped_ = true; }
  // Somebody may send to it: from now on there are metrics.
  void TurnOn() { is_on_ = true; }

  size_t body_bytes_max() const { return config_.body_size_limit; }
  const ReceiveStats& stats() const { return stats_; }
  const WriteIntake& intake() const { return intake_; }
  void Collect(MetricSink& sink) const;

 private:
  struct Decoded;  // a request, decompressed
  struct Split;    // one that several workers have a part of

  // Why nothing can be taken now; status 0: it can.
  WriteAnswer Unavailable() const;
  bool Decode(const IncomingWrite& request, Decoded& decoded, WriteAnswer& answer);
  void KeepSweeping();
  void TakeSplit(std::shared_ptr<Decoded> decoded, const std::string& sender, Done done);
  void TakePart(const std::shared_ptr<Split>& split, size_t worker);
  // Waits for the log if it has to.
  void Finish(WriteOutcome outcome, bool is_v2, Done done);
  WriteAnswer AnswerOf(const WriteOutcome& outcome, bool is_v2) const;
  void Answer(WriteAnswer answer, const Done& done);

  ReceiveConfig config_;
  ReceiveEnvironment env_;
  ReceiveStats stats_;
  WriteIntake intake_;
  std::vector<Peer> peers_;
  Timer sweep_timer_;
  bool is_on_ = false, stopped_ = false;
  std::unique_ptr<Decoded> scratch_;
  // What waits for the log finds out by it whether the receiver is still there.
  std::shared_ptr<Receiver*> self_ = std::make_shared<Receiver*>(this);
};

}  // namespace tributary
