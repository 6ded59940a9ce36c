// A receiver with a log in memory, on virtual time, and what it has put there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/receive/receiver.h"
#include "common/wire/remote_write.h"
#include "common/wire/remote_write_v2.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {

struct LoggedSample {
  Labels labels;
  TimestampMs timestamp = 0;
  double value = 0;
  bool operator==(const LoggedSample&) const = default;
};

// A sample to be sent, with the labels as they are written.
struct SentSample {
  std::vector<Label> labels;
  double value = 0;
  TimestampMs timestamp = 0;
};

// Requests as senders write them: a series for each sample.
std::string V1Body(const std::vector<SentSample>& samples);
std::string V2Body(const std::vector<SentSample>& samples);
IncomingWrite V1Request(const std::vector<SentSample>& samples);
IncomingWrite V2Request(const std::vector<SentSample>& samples);
// A body that is not made by us.
IncomingWrite RequestOf(std::string raw, std::string content_type = "");

struct ReceiveRig {
  // `shared_limits`: of several workers; null: it has its own.
  explicit ReceiveRig(SimLoop& world_loop, SampleLogOptions options = {},
                      SeriesLimits* shared_limits = nullptr)
      : loop(world_loop),
        log(loop, options),
        limits(shared_limits != nullptr ? *shared_limits : own_limits) {
    reader = log.AddReader("r", [] {});
    config.receive.failover_timeout = seconds(30);
    Apply();
  }
  void Apply() { receiver.ApplyConfig(config, true, &series_families); }

  // The answer, once there is one.
  WriteAnswer Send(const IncomingWrite& request) {
    std::optional<WriteAnswer> answer;
    receiver.Take(request, [&](WriteAnswer given) { answer = std::move(given); });
    loop.RunFor(milliseconds(1));
    return answer.value_or(WriteAnswer{});
  }
  // What has come into the log since the last time, by record, of each what the queues send first.
  std::vector<LoggedSample> TakeLogged();
  std::vector<std::shared_ptr<const GroupSamples>> TakeRecords();

  TimestampMs now() const { return loop.WallMs(); }

  SimLoop& loop;
  SampleLog log;
  SampleLog::ReaderId reader = 0;
  MetadataPool metadata, series_families;
  HashKey hash = HashKey::FromSeed(7);
  ReplicaElection own_election;
  ReplicaElection* election = &own_election;
  std::atomic<ShedStep> shed{ShedStep::kNone};
  SeriesLimits own_limits;
  SeriesLimits& limits;
  Config config;
  Receiver receiver{loop, log, metadata, hash, own_election, &shed, &limits};
};

}  // namespace tributary
