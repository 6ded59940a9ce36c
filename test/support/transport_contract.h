// What every HttpTransport must do: one suite for the simulated network and for libcurl over
// sockets.
//
//   TEST_CASE("transport contract: ...") {
//     for (const TransportContractCase& c : TransportContract())
//       DYNAMIC_SECTION(c.name) { World world; c.run(world); }
//   }
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/event/event_loop.h"
#include "common/http/transport.h"
#include "test/support/scripted_reply.h"

namespace tributary {

// A transport with servers to talk to. Names of hosts: "slow-MS[...].test" resolves to the server
// after so many milliseconds, "gone-MS.test" fails to after so many.
class TransportWorld {
 public:
  virtual ~TransportWorld() = default;
  virtual EventLoop& loop() = 0;
  virtual HttpTransport& transport() = 0;
  // Starts a server and returns its number.
  virtual size_t Serve(ReplyScript script) = 0;
  // "http://HOST:PORT" of a server.
  virtual std::string UrlAt(size_t server, const std::string& host) = 0;
  std::string Url(size_t server, const std::string& host = "127.0.0.1") {
    return UrlAt(server, host);
  }
  virtual std::vector<ServedRequest> Requests(size_t server) = 0;
  virtual std::string RefusingUrl() = 0;  // nobody listens
  virtual std::string DeafUrl() = 0;      // connects get no answer
  // Runs the loop until `done` holds; whether it does within the limit.
  virtual bool Run(const std::function<bool()>& done, nanoseconds limit) = 0;
};

struct TransportContractCase {
  const char* name;
  void (*run)(TransportWorld& world);
};

const std::vector<TransportContractCase>& TransportContract();

// A handler that keeps what it hears.
class CollectingHandler : public HttpHandler {
 public:
  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnTrailers(const std::vector<HttpHeader>& received) override;
  void OnDone(const HttpOutcome& outcome) override;

  int heads = 0;
  HttpResponseHead head;
  std::vector<HttpHeader> trailers;
  std::string body;
  size_t body_bytes_max = SIZE_MAX;  // refuses what goes beyond
  int calls_after_refusal = 0;
  bool done = false;
  HttpOutcome outcome;
  std::function<void()> on_head;
  std::function<void()> on_done;

 private:
  bool refused_ = false;
};

// Starts the request, runs until it is done and returns the handler.
CollectingHandler Fetch(TransportWorld& world, HttpRequest request);
HttpRequest GetRequest(std::string url);
HttpRequest PostRequest(std::string url, std::string body);

}  // namespace tributary
