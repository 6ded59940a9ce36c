// The HTTP server of the agent: health, lifecycle, /metrics, Prometheus' status API and a page for
// people.
//
// Three threads of its own, and a fourth where there are users (gate.h), no keep-alive: one
// accepts, waits for requests and answers health, so that neither a slow collection nor a silent
// client starves it (reception.h); two run the handlers below (cpp-httplib), which must be
// thread-safe and may block for at most a few seconds. Requests that wait for one of the two are
// bounded; beyond that the answer is 503. Where /federate is enabled two more threads make its
// pages (federate_door.h). Remote write is served elsewhere (write_server.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/access/web_access.h"
#include "agent/federate/federate_page.h"
#include "agent/telemetry/status.h"
#include "agent/web/web_counters.h"
#include "agent/web/write_visitor.h"
#include "common/base/status.h"

namespace tributary {

struct WebOptions {
  std::string listen_address =
      "127.0.0.1:9095";           // host:port, [v6]:port, :port; port 0: any free one
  bool enable_lifecycle = false;  // /-/reload and /-/quit
  // TLS, users and headers (--web.config.file); null: plain HTTP for everybody. Outlives the
  // server.
  WebAccess* access = nullptr;
  std::shared_ptr<WebCounters> counters = std::make_shared<WebCounters>();
  // With WebHandlers::write: where connections come back from.
  std::shared_ptr<VisitorReturns> returns = nullptr;
  // By which the agent recognises its own /metrics (SeriesLimits::process); "": by nothing.
  std::string process = "";
};

struct WebHandlers {
  std::function<bool()> ready;                   // called on the accepting thread: must not block
  std::function<Result<std::string>()> metrics;  // a text 0.0.4 page
  std::function<Result<TargetsStatus>()> targets;
  std::function<Result<RemoteWriteStatus>()> remote_write;
  std::function<std::vector<SeriesLimitStatus>()> series_limits;
  std::function<std::string()> config_yaml;  // secrets masked
  std::function<std::vector<std::pair<std::string, std::string>>()> flags;
  std::function<RuntimeInfo()> runtime_info;
  std::function<Status()> reload;  // returns when the file is in force or refused
  std::function<void()> quit;
  // All there is for a page of /federate; null: it is not enabled.
  std::function<Result<FederateSource>()> federate;
  // Takes over a connection whose request, of which nothing is read but what it has, is one of
  // remote write, by somebody who may come. Called on any thread; must not block. Null: there is no
  // receiver.
  std::function<void(WriteVisitor)> write = nullptr;
};

class WebServer {
 public:
  // Listens at once: an error names the address and the reason ("address in use").
  static Result<std::unique_ptr<WebServer>> Start(WebOptions options, WebHandlers handlers);
  ~WebServer();  // stops accepting, waits for running handlers
  // The address in use, with the real port: "127.0.0.1:9095".
  std::string address() const;

 private:
  struct Impl;
  explicit WebServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tributary
