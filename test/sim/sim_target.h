// A target of the simulation: serves pages whose values say which target, series and scrape they
// are.
//
// Every scrape that reaches it has a number, from 1 on. A page has `sim_value_<n>{sid="<series>"}`
// for each series that it has at the moment; its series come and go by chance. What was served is
// kept, so that the test knows to the sample what the agent must deliver.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

enum class TargetMood : uint8_t {
  kGood,
  kGzip,
  kSlow,     // the page takes half of the scrape's timeout
  kTooSlow,  // twice the timeout
  kHang,     // answers nothing
  kReset,
  kCut,      // the connection closes in the body
  kError,    // status 500
  kGarbage,  // a page that cannot be read
  kRefuse,   // nobody listens
  kSilent,   // packets vanish
};
inline constexpr int kTargetMoods = 11;

// One scrape as the target saw it.
struct ServedScrape {
  MonotonicTime arrived{};
  bool whole = false;            // a page that can be read, and in time
  bool garbage = false;          // it arrives whole but ends in what is no line
  std::vector<uint32_t> series;  // of the page, ascending
};

// What a value of a page tells; all 0 for others.
struct PageValue {
  uint32_t target = 0;
  uint32_t series = 0;
  uint32_t scrape = 0;
  double Encode() const { return target * 1e10 + series * 1e5 + scrape; }
  static PageValue Decode(double value);
};

class SimTarget {
 public:
  // `network` must outlive it. `id` is below 200.
  SimTarget(SimNetwork& network, uint32_t id, uint64_t seed);
  SimTarget(const SimTarget&) = delete;
  SimTarget& operator=(const SimTarget&) = delete;

  uint32_t id() const { return id_; }
  const std::string& address() const { return address_; }
  TargetMood mood() const { return mood_; }
  void SetMood(TargetMood mood);
  // Chance that a series comes or goes between two scrapes.
  void set_churn(double churn) { churn_ = churn; }
  // Sometimes the lines of a page come in another order.
  void set_shuffle(bool on) { shuffle_ = on; }
  // Also serves series with timestamps of their own: `sim_own{sid="<series>"}`.
  void ServeOwnTimes(std::function<TimestampMs()> now) { own_time_ = std::move(now); }
  // The series from the next scrape on; ascending.
  void SetSeries(std::vector<uint32_t> series) { series_ = std::move(series); }
  SimServer& server() { return *server_; }

  // Scrape number n is at n - 1.
  const std::vector<ServedScrape>& scrapes() const { return scrapes_; }
  const std::vector<uint32_t>& series() const { return series_; }

 private:
  ScriptedReply Serve(const ServedRequest& request);
  std::string Page(uint32_t scrape);
  void Churn();

  const uint32_t id_;
  const std::string address_;
  SimRandom random_;
  SimServer* server_;
  TargetMood mood_ = TargetMood::kGood;
  double churn_ = 0;
  bool shuffle_ = false;
  std::function<TimestampMs()> own_time_;
  std::vector<uint32_t> series_;
  uint32_t next_series_ = 1;
  std::vector<ServedScrape> scrapes_;
};

}  // namespace tributary
