// The simulator's network: scripted servers, and an HttpTransport for each simulated process.
//
// Time is the loop's, faults are scripted (ScriptedReply), set on a server (SimServer) or drawn
// from the seed (SimFaults); each server has its own random stream, so one more server shifts no
// other. Keep-alive, TLS and bytes on the wire are not simulated: https is as http. What a reply
// says of bytes (`raw`) arrives as HttpFailure::kBadResponse.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/event/event_loop.h"
#include "common/http/transport.h"
#include "test/support/scripted_reply.h"

namespace tributary {

// A seeded source of chance that is the same on every machine.
class SimRandom {
 public:
  explicit SimRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // In [0, n); 0 for n = 0.
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : Next() % n; }
  bool Chance(double probability);
  nanoseconds Between(nanoseconds min, nanoseconds max);

 private:
  uint64_t state_;
};

// What happens by chance to an exchange with a server; probabilities.
struct SimFaults {
  double refuse = 0;        // the connection is refused
  double lose_request = 0;  // reset before the server has seen the request
  double lose_reply = 0;    // the server has done its work, the connection is reset before the head
  double hang = 0;          // the server has done its work, no answer ever comes
  double cut = 0;           // the connection closes somewhere in the body
  double error = 0;  // `error_status` instead of what the script would do, which is not asked
  int error_status = 503;
  // Added before the head.
  nanoseconds latency_min{};
  nanoseconds latency_max{};
  // Not 0: bodies are handed over in random pieces of up to so many bytes.
  size_t piece_bytes_max = 0;
};

struct SimServer {
  ReplyScript script;
  SimFaults faults;
  bool refusing = false;     // nobody listens; requests under way are reset on arrival
  bool unreachable = false;  // packets vanish: only a timeout ends what is sent here
  uint64_t requests = 0;     // that the script was asked
  SimRandom random{0};
};

// How a name is looked up; names not set resolve at once, if a server has them.
struct SimName {
  nanoseconds delay{};
  bool fails = false;
};

// What became of one request, for the tests to look at.
struct SimExchange {
  std::string client;
  std::string method;
  std::string server;  // host:port
  std::string target;
  size_t request_bytes = 0;
  MonotonicTime started{};
  MonotonicTime ended{};
  bool served = false;     // the script was asked
  bool cancelled = false;  // by the client, or by its end
  HttpOutcome outcome;
};

class SimNetwork {
 public:
  explicit SimNetwork(uint64_t seed = 1) : seed_(seed) {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // `host_port` as "host:port". A second call replaces the script and keeps the rest.
  SimServer& Listen(const std::string& host_port, ReplyScript script);
  // Null if there is none.
  SimServer* Find(const std::string& host_port);
  void SetName(const std::string& host, SimName name) { names_[host] = name; }
  // From one end to the other; a connection takes two.
  void set_latency(nanoseconds one_way) { latency_ = one_way; }

  // The last 10,000, in the order of their ends.
  const std::deque<SimExchange>& exchanges() const { return exchanges_; }
  uint64_t exchanges_total() const { return exchanges_total_; }

 private:
  friend class SimTransport;
  enum class Lookup { kFound, kFails };
  Lookup LookUp(const std::string& host, nanoseconds* delay) const;
  void Record(SimExchange exchange);

  uint64_t seed_;
  nanoseconds latency_ = std::chrono::microseconds(100);
  std::map<std::string, std::unique_ptr<SimServer>> servers_;
  std::map<std::string, SimName> names_;
  std::deque<SimExchange> exchanges_;
  uint64_t exchanges_total_ = 0;
};

// The transport of one process. Network and loop must outlive it; requests in flight end with it.
class SimTransport : public HttpTransport {
 public:
  SimTransport(SimNetwork& network, EventLoop& loop, std::string client = "");
  ~SimTransport() override;

  HttpRequestId Start(const HttpRequest& request, HttpHandler* handler) override;
  void Cancel(HttpRequestId id) override;
  size_t in_flight() const { return exchanges_.size(); }

 private:
  class Exchange;

  SimNetwork& network_;
  EventLoop& loop_;
  std::string client_;
  HttpRequestId last_ = 0;
  std::unordered_map<HttpRequestId, std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace tributary
