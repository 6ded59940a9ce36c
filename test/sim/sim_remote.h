// A remote of the simulation: stores what it is sent, and answers as its mood has it. It speaks
// both versions of remote write.
//
// It checks what must hold for every single request, whatever the agent goes through: that it can
// be decoded; that no series goes back (in scrape numbers, and in time while the world's clock does
// not step back); that a sample comes twice only if the answer to the first was not clear, or its
// sender's process ended before it could write down that it was; that requests in flight and samples
// in them keep to the bounds.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/time.h"
#include "test/sim/sim_target.h"
#include "test/support/sim/sim_network.h"
#include "test/support/write_request.h"

namespace tributary {

// What a remote does with one request.
enum class RemoteAct : uint8_t {
  kStore,           // 2xx
  kStoreThenReset,  // stored, but the agent cannot know
  kStoreThenHang,
  kStoreThenFail,  // 503
  kReset,
  kHang,
  kFail,    // 503 or 500
  kBusy,    // 429
  kReject,  // 400
};
inline constexpr int kRemoteActs = 9;
// Whether the sender cannot know that the samples were stored.
inline bool IsAmbiguous(RemoteAct act) {
  return act == RemoteAct::kStoreThenReset || act == RemoteAct::kStoreThenHang ||
         act == RemoteAct::kStoreThenFail;
}

// A series by what no remote's rules change: "job|instance|name|sid".
struct StoredSeries {
  struct Sample {
    TimestampMs timestamp;
    double value;
    bool sure;  // its sender was told
    MonotonicTime stored;
    MonotonicTime came;      // the last time
    MonotonicTime answered;  // that
  };
  std::string key;
  std::string name;
  uint32_t target = 0;  // 0: unknown
  uint32_t sid = 0;
  struct Histogram {
    NativeHistogram histogram;
    bool sure;
    MonotonicTime came;
    MonotonicTime answered;
  };
  std::map<TimestampMs, Sample> samples;
  std::map<TimestampMs, Histogram> histograms;
  std::map<TimestampMs, std::vector<DecodedExemplar>> exemplars;  // each once
  DecodedMetadata metadata;                                       // the latest, by 2.0
  TimestampMs latest = 0;                                         // of samples and histograms
  uint32_t latest_scrape = 0;
  // SimRemote::SenderForgot, and nothing newer came since.
  bool may_go_back = false;
};

class SimRemote {
 public:
  struct Bounds {
    uint64_t samples_max = 2000;  // of a request, histograms and exemplars included
    uint64_t requests_max = 50;   // with samples, in flight
    nanoseconds timeout = seconds(30);
  };
  struct Request {
    MonotonicTime arrived{};
    RemoteAct act{};
    size_t samples = 0;  // and histograms and exemplars
    size_t metadata = 0;
    std::string attempt;     // the header Retry-Attempt
    DecodedRequest decoded;  // if keep_requests
  };

  // `problem` hears of what must not be. `network` must outlive it.
  SimRemote(SimNetwork& network, const std::string& host, uint64_t seed,
            std::function<void(std::string)> problem);
  SimRemote(const SimRemote&) = delete;
  SimRemote& operator=(const SimRemote&) = delete;

  const std::string& host() const { return host_; }
  std::string url() const { return "http://" + host_ + "/api/v1/write"; }
  SimServer& server() { return *server_; }

  // What is done from now on: one act, one of several by chance, or asked for each request.
  void Always(RemoteAct act) { acts_ = {act}; }
  void OneOf(std::vector<RemoteAct> acts) { acts_ = std::move(acts); }
  void Ask(std::function<RemoteAct(const Request&)> act) { ask_ = std::move(act); }
  // Of answers; must stay below Bounds::timeout.
  void SetLatency(nanoseconds min, nanoseconds max) { latency_min_ = min, latency_max_ = max; }
  // The header Retry-After of 429 and 503; nullopt: none.
  void SetRetryAfter(std::optional<int> delay_s) { retry_after_s_ = delay_s; }
  void KeepRequests() { keep_requests_ = true; }
  // The agent's process has ended. `orderly`: having written down what was acknowledged.
  void SenderEnded(MonotonicTime now, bool orderly);
  // And it may not know any more how far it was, nor what it was not to send: until something newer
  // comes, what is older than the latest may come for the first time.
  void SenderForgot();

  Bounds bounds;
  // The world's clock has stepped back: times say nothing about order from now on.
  bool clock_went_back = false;

  const std::unordered_map<std::string, StoredSeries>& series() const { return series_; }
  const StoredSeries* Find(const std::string& key) const;
  bool Rejected(const std::string& key, TimestampMs timestamp) const;
  const std::vector<Request>& requests() const { return requests_; }
  // Samples, without histograms and exemplars, of requests that were answered with 2xx, and with
  // 400.
  uint64_t acknowledged_samples() const { return acknowledged_; }
  uint64_t rejected_samples() const { return rejected_count_; }
  uint64_t duplicates() const { return duplicates_; }
  const std::map<std::string, DecodedMetadata>& metadata() const { return metadata_; }
  // Called for every sample that is stored for the first time.
  std::function<void(const StoredSeries&, const StoredSeries::Sample&)> on_stored;

 private:
  ScriptedReply Serve(const ServedRequest& request);
  void CheckBounds(const Request& request);
  void CheckHeaders(const ServedRequest& request);
  // How a request was taken.
  struct Taken {
    bool sure;
    MonotonicTime came, answered;
  };
  void StoreAll(const DecodedRequest& request, const Taken& taken);
  void Store(const DecodedSample& sample, const Taken& taken);
  void Store(const DecodedHistogram& sample, const Taken& taken);
  bool MayComeAgain(const Taken& taken) const;
  bool EndedSince(MonotonicTime time) const;
  void Store(const DecodedExemplar& exemplar);
  StoredSeries& SeriesOf(const Labels& labels);
  RemoteAct Act(const Request& request);
  ScriptedReply Reply(RemoteAct act);

  const std::string host_;
  SimRandom random_;
  std::function<void(std::string)> problem_;
  SimServer* server_;
  std::vector<RemoteAct> acts_ = {RemoteAct::kStore};
  std::function<RemoteAct(const Request&)> ask_;
  nanoseconds latency_min_ = milliseconds(1), latency_max_ = milliseconds(1);
  std::optional<int> retry_after_s_;
  bool keep_requests_ = false;

  std::unordered_map<std::string, StoredSeries> series_;      // by key
  std::unordered_map<std::string, StoredSeries*> by_labels_;  // all labels
  std::set<std::pair<std::string, TimestampMs>> rejected_;
  std::vector<Request> requests_;
  std::vector<MonotonicTime> in_flight_until_;
  std::vector<MonotonicTime> sender_ends_;
  MonotonicTime forgotten_until_{};  // what came before its sender may have forgotten
  uint64_t acknowledged_ = 0, rejected_count_ = 0, duplicates_ = 0;
  std::map<std::string, DecodedMetadata> metadata_;
};

}  // namespace tributary
