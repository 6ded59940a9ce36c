#include "agent/web/server.h"

#include <csignal>

#include <atomic>
#include <chrono>
#include <utility>

#include <httplib.h>

#include "agent/web/conversation.h"
#include "agent/web/federate_door.h"
#include "agent/web/gate.h"
#include "agent/web/listener.h"
#include "agent/web/reception.h"
#include "agent/web/routes.h"

namespace tributary {
namespace {

constexpr size_t kThreads = 2;
constexpr size_t kQueuedMax = 32;
constexpr size_t kPayloadBytesMax = 1 << 20;
constexpr char kNoReceiver[] =
    "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n";
constexpr Patience kWorkPatience{std::chrono::seconds(5), std::chrono::seconds(10)};

// Threads started while this lives take no signals: those belong to the control thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// cpp-httplib's parser, routing and writer, without its sockets and accept loop.
class HttpServer : public httplib::Server {
 public:
  HttpServer() {
    set_keep_alive_max_count(1);
    set_payload_max_length(kPayloadBytesMax);
    set_post_routing_handler(
        [](const httplib::Request&, httplib::Response& response) { PutHeaders(response); });
  }
  void Serve(Conversation& conversation) {
    bool closed = false;
    terms_of_thread = conversation.terms();
    process_request(conversation, /*close_connection=*/true, closed, nullptr);
    terms_of_thread = nullptr;
  }

 private:
  // A handler sees the request and not whose it is.
  static thread_local const WebTerms* terms_of_thread;

  static void PutHeaders(httplib::Response& response) {
    if (terms_of_thread == nullptr) return;
    for (const auto& [name, value] : terms_of_thread->config->headers) {
      response.headers.erase(name);
      if (!value.empty()) response.set_header(name, value);
    }
  }
};

thread_local const WebTerms* HttpServer::terms_of_thread = nullptr;

}  // namespace

struct WebServer::Impl {
  explicit Impl(Listener open_listener) : listener(std::move(open_listener)), pool(kThreads) {}

  ~Impl() {
    stopping = true;
    reception.reset();
    gate.reset();
    federate_door.reset();
    pool.shutdown();
  }

  Gate::Door Guarded(Gate::Door door) {
    if (gate == nullptr) return door;
    return [this, door = std::move(door)](std::unique_ptr<Conversation> conversation) {
      gate->Pass(std::move(conversation), door);
    };
  }

  void Federate(std::unique_ptr<Conversation> conversation) {
    if (federate_door != nullptr) return federate_door->Pass(std::move(conversation));
    conversation->write(RefusalResponse(
        "403 Forbidden",
        "Federation is not enabled; start the agent with --web.enable-federation.\n",
        conversation->terms()));
  }

  void Work(std::unique_ptr<Conversation> conversation) {
    if (IsFederate(conversation->head())) return Federate(std::move(conversation));
    if (queued.load() >= kQueuedMax) {
      counters->busy++;
      conversation->write(
          RefusalResponse("503 Service Unavailable", "busy; try again\n", conversation->terms()));
      return;
    }
    queued++;
    pool.enqueue([this, shared = std::shared_ptr<Conversation>(std::move(conversation))] {
      queued--;
      if (stopping) return;
      shared->SetPatience(kWorkPatience);
      http.Serve(*shared);
    });
  }

  Listener listener;
  HttpServer http;  // not changed after the start: its const parts are shared by all threads
  std::atomic<bool> stopping = false;
  std::atomic<size_t> queued = 0;
  httplib::ThreadPool pool;
  std::shared_ptr<WebCounters> counters;
  std::unique_ptr<FederateDoor> federate_door;  // null: not enabled
  std::unique_ptr<Gate> gate;                   // null: everybody may come
  std::unique_ptr<Reception> reception;
};

Result<std::unique_ptr<WebServer>> WebServer::Start(WebOptions options, WebHandlers handlers) {
  auto listener = Listener::Open(options.listen_address);
  if (!listener) return tl::unexpected(listener.error());
  const SignalsBlocked signals_blocked;
  auto impl = std::make_unique<Impl>(std::move(*listener));
  AddRoutes(impl->http, options, handlers);
  impl->counters = options.counters;
  if (handlers.federate) {
    impl->federate_door = std::make_unique<FederateDoor>(
        FederateDoorOptions{handlers.ready, handlers.federate, options.counters});
  }
  if (options.access != nullptr) {
    impl->gate = std::make_unique<Gate>(options.access->passwords(), *options.counters);
  }
  ReceptionOptions reception;
  reception.listen_fd = impl->listener.fd();
  reception.access = options.access;
  reception.counters = options.counters;
  reception.returns = options.returns;
  Reception::Doors doors;
  doors.probe = impl->Guarded([impl = impl.get()](std::unique_ptr<Conversation> conversation) {
    impl->http.Serve(*conversation);
  });
  doors.work = impl->Guarded([impl = impl.get()](std::unique_ptr<Conversation> conversation) {
    impl->Work(std::move(conversation));
  });
  doors.write = impl->Guarded([write = handlers.write](std::unique_ptr<Conversation> conversation) {
    if (write) return write(conversation->Release());
    conversation->write(RefusalResponse("404 Not Found", kNoReceiver, conversation->terms()));
  });
  impl->reception = std::make_unique<Reception>(reception, std::move(doors));
  return std::unique_ptr<WebServer>(new WebServer(std::move(impl)));
}

WebServer::WebServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebServer::~WebServer() = default;

std::string WebServer::address() const { return impl_->listener.address(); }

}  // namespace tributary
