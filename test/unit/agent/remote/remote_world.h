// A remote write endpoint, and what a RemoteQueue or RemoteClient needs to talk to it, in virtual
// time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/remote/remote_queue.h"
#include "test/support/sim/sim_files.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"
#include "test/support/write_request.h"

namespace tributary {

// A group of series m{i="0"}, m{i="1"}, ... with the labels given beside.
GroupRef MakeGroup(uint64_t target_key, uint32_t generation, size_t series, Labels beside = {});
GroupRef MakeGroupOf(uint64_t target_key, uint32_t generation, const std::vector<Labels>& series);

struct RemoteWorld {
  explicit RemoteWorld(SampleLogOptions log_options = {}, bool has_frames = true);

  RemoteEnvironment environment();
  std::unique_ptr<RemoteQueue> MakeQueue(const RemoteWriteConfig& config, Labels external = {});
  // A config for the endpoint: one shard, no metadata, batches of up to 10 within a second; errors
  // as Prometheus has them.
  static RemoteWriteConfig RemoteConfig();
  static RemoteSpec Spec(const RemoteWriteConfig& config, Labels external = {});

  // All of a group's series at one time; values count on from `next_value`.
  GroupSamples SamplesOf(const GroupRef& group, TimestampMs timestamp);
  void Append(std::vector<GroupSamples> groups);
  // The same, appended.
  void Append(const GroupRef& group) { Append({SamplesOf(group, loop.WallMs())}); }
  // Answers every request so.
  void Answer(int status, std::vector<HttpHeader> headers = {}, std::string body = "");

  struct Received {
    DecodedRequest decoded;
    ServedRequest served;
    MonotonicTime time;
    int status = 0;  // of the answer
  };
  // Samples of the requests that were answered with 2xx, in their order.
  std::vector<DecodedSample> accepted() const;
  std::vector<DecodedHistogram> accepted_histograms() const;
  std::vector<DecodedExemplar> accepted_exemplars() const;

  // A histogram of `count` observations in one bucket, and an exemplar whose trace id is its value.
  static HistogramSample HistogramOf(uint32_t index, TimestampMs timestamp, uint64_t count);
  static ExemplarSample ExemplarOf(uint32_t index, TimestampMs timestamp, double value);

  SimLoop loop;
  SimNetwork network{1};
  SimTransport transport{network, loop, "agent"};
  SimFileSystem files;
  Logger logger = Logger::Silent();
  MetadataPool metadata;
  SampleLog log;
  DeadLetterPlace dead_letters;  // nowhere
  FrameStore frames;
  SeriesLimits limits;
  double next_value = 1;
  std::vector<Received> received;
  std::function<ScriptedReply(const Received&)> answer;
  SimServer* server = nullptr;
  // To requests of remote write 2.0, that all was written, unless the answer has it.
  bool says_written = true;
};

// read = sent + failed + dropped + pending, of each kind, and the ledger balances.
bool Balances(const RemoteQueue& queue);

// The endpoint of RemoteConfig.
inline constexpr char kRemoteHostPort[] = "central.test:80";
inline constexpr char kRemoteUrl[] = "http://central.test/write";

}  // namespace tributary
