// Takes the series of a request of remote write into the layouts of their sources and appends what
// is good to the sample log. What is not is counted and left out: the rest of the request is taken
// all the same.
//
// Follows prometheus/prometheus storage/remote/write_handler.go and tsdb/agent (3.16): which labels
// are valid, what is out of order, how far ahead of the clock a sample may be. Where a request of
// 1.0 has an error Prometheus takes nothing of it, or says nothing of it; here it is as in 2.0. A
// sample that comes again as it was is no error, so that senders may repeat a request whose answer
// they have not seen.
//
// One thread (the worker's loop). In steady state nothing is allocated for a sample.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/log/sample_log.h"
#include "agent/memory/memory_guard.h"
#include "agent/receive/receive_stats.h"
#include "agent/receive/received_series.h"
#include "agent/receive/replica_election.h"
#include "agent/receive/sender_quotas.h"
#include "agent/series/metadata_pool.h"
#include "common/base/hash.h"
#include "common/config/model.h"
#include "common/exposition/protobuf_metric.h"
#include "common/wire/write_request_reader.h"

namespace tributary {

struct ReceiveEnvironment {
  EventLoop& loop;
  SampleLog& log;
  MetadataPool& metadata;
  const HashKey& hash;
  ReplicaElection& election;
  // Where series' families are kept; null: no remote wants them.
  MetadataPool* series_families = nullptr;
  const std::atomic<ShedStep>* shed = nullptr;  // null: memory has no limit
  SeriesLimits* limits = nullptr;               // null: senders have none
};

// What became of a request, or of a worker's part of it.
struct WriteOutcome {
  // Taken, or as good as that: repeated, and those of replicas that are not elected.
  SampleCounts written;
  uint64_t refused = 0;     // samples and histograms; also series without any
  std::string problem;      // the first of them; for people
  bool malformed = false;   // what stands behind was not read
  bool over_limit = false;  // of samples; what stands behind was not read
  bool try_again = false;   // some were refused for want of memory
  bool appended = false;    // something is on its way into the log

  void Add(const WriteOutcome& other);
};

class WriteIntake {
 public:
  WriteIntake(ReceiveEnvironment& environment, ReceiveStats& stats);
  WriteIntake(const WriteIntake&) = delete;
  WriteIntake& operator=(const WriteIntake&) = delete;

  void SetConfig(const ReceiveConfig& config, milliseconds out_of_order_window, bool keep_starts);
  // `which`: the series that are this worker's; null: all.
  WriteOutcome Take(const WriteRequestReader& request, const std::vector<uint32_t>* which,
                    const std::string& sender);
  // What a request of 1.0 says of families; Take does it unless it is told which series to take.
  void TakeMetadata(const WriteRequestReader& request, WriteOutcome& outcome);
  // Sorts the request's series by the partition of the log in which their sources are: it decides
  // which worker a series belongs to. Of one that cannot be read any will do.
  void Sort(const WriteRequestReader& request,
            std::array<std::vector<uint32_t>, kLogPartitions>& by_partition);

  // Every ReceivedSeries::kSweepInterval, between requests.
  void Sweep();
  const ReceivedSeries& series() const { return series_; }
  size_t memory_bytes() const;

 private:
  // A replica of some cluster that a sender has named.
  struct Replica {
    std::string cluster, name;
    uint64_t request = 0;  // in which `elected` was asked for
    bool elected = true;
  };

  void HashSymbols(const WriteRequestReader& request);
  // False: its numbers of symbols are not there.
  bool HashOf(const WriteSeries& series, uint64_t& hash);
  // Reads the series if it is that line again with a sample: then its labels need not be looked at.
  bool ReadExpected(size_t number, ReceivedSeries::Ref expected);
  // The series that was read. A source of kNone: it is refused.
  ReceivedSeries::Ref FindSeries(ReceivedSeries::Ref expected);
  void TakeSeries(ReceivedSeries::Ref ref);
  ReceivedSeries::Ref Learn(uint64_t hash);
  // Whether the series has room among those of its sender, and who has it from now on.
  bool HasRoom(uint64_t hash, const Labels& labels, uint16_t& owner);
  void RefuseForLimit(uint64_t count);
  // Labels as they stand in the request, or why they cannot be read.
  Result<std::vector<Label>> ReadLabels(std::string_view label_bytes,
                                        const std::vector<uint32_t>& refs) const;
  // Those of the series that was read, or why they cannot be taken.
  Result<Labels> SeriesLabels() const;
  bool WithinLimits(const Labels& labels, std::string& problem) const;
  // Takes the replica's label away; kNoReplica: there is none.
  uint16_t TakeReplica(Labels& labels);
  bool IsElected(uint16_t replica);
  ReceivedBatch& BatchOf(uint32_t source);
  bool TakeFamily(ReceivedSource& source, uint32_t line);
  // Counts what the verdict means for a sample or histogram. True: it is to be taken.
  bool Accept(ReceivedSource::Verdict verdict, uint64_t SampleCounts::*kind);
  void TakeSamples(ReceivedSource& source, ReceivedBatch& batch, uint32_t place);
  void TakeHistograms(ReceivedSource& source, ReceivedBatch& batch, uint32_t place);
  void TakeExemplars(ReceivedSource& source, ReceivedBatch& batch, uint32_t place);
  void Refuse(ReceiveRefusal refusal, uint64_t count, const std::string& more = "");
  void AppendBatches();

  ReceiveEnvironment& env_;
  ReceiveStats& stats_;
  ReceiveConfig config_;
  TimestampMs window_ms_ = 0;
  bool keep_starts_ = false;
  ReceivedSeries series_;
  SenderQuotas quotas_;
  std::vector<Replica> replicas_;  // by number less one
  boost::unordered_flat_map<std::string, uint16_t> replica_numbers_;
  // Which partition a series belongs to, by the hash of its line: where workers share the series.
  boost::unordered_flat_map<uint64_t, uint8_t> partitions_;
  // What requests of 1.0 have said of families, by the hash of the name, in this interval of sweeps
  // and the one before: as long as it is here the metadata senders have it.
  boost::unordered_flat_map<uint64_t, FamilyRef> families_, families_before_;
  size_t family_bytes_ = 0;  // of families_

  // Of the request that is being taken.
  uint64_t request_number_ = 0;
  const WriteRequestReader* request_ = nullptr;
  WriteOutcome outcome_;
  TimestampMs latest_allowed_ = 0;
  uint64_t samples_ = 0;
  uint16_t sender_ = SenderQuotas::kNobody;
  ReceivedSeries::Ref before_;
  WriteSeries read_;
  WriteHistogram histogram_;
  WriteExemplar exemplar_;
  std::vector<uint64_t> symbol_hashes_;
  std::vector<uint64_t> hashed_;   // scratch
  std::vector<uint32_t> touched_;  // sources
  std::vector<std::unique_ptr<ReceivedBatch>> batches_;
  ScrapeBuffer buffer_;
};

}  // namespace tributary
