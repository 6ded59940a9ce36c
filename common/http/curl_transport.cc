#include "common/http/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/base/assert.h"
#include "common/http/curl_exchange.h"
#include "common/http/lookup_gate.h"
#include "common/http/request_head.h"

namespace tributary {

namespace {

// Idle easy handles kept: making one is cheap, and a burst should not be paid for ever.
constexpr size_t kIdleHandlesMax = 8;

void InitCurlOnce() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(result == CURLE_OK);
}

// The host that a connection is made to.
std::string HostToLookUp(const HttpRequest& request, const HttpUrl& url) {
  if (!request.unix_socket.empty()) return "localhost";
  if (request.proxy == nullptr) return url.BracketedHost();
  const size_t begin = request.proxy->url.find("//");
  // In the clothes of a URL that this parser knows.
  const std::optional<HttpUrl> proxy =
      begin == std::string::npos ? std::nullopt
                                 : ParseHttpUrl("http:" + request.proxy->url.substr(begin));
  return proxy ? proxy->BracketedHost() : "";
}

}  // namespace

struct CurlTransport::Impl {
  struct Entry {
    std::unique_ptr<CurlExchange> exchange;
    std::string host;        // "" if the request cannot be sent
    bool in_lookup = false;  // has a place in the gate
  };

  Impl(SystemEventLoop& event_loop, const CurlTransportOptions& options);
  ~Impl();

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void*);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  void SocketAction(curl_socket_t socket, int events);
  void CollectDone();
  void Finish(HttpRequestId id, const HttpOutcome& outcome);
  void Release(Entry& entry, bool reuse_handle);
  void LeaveLookup(Entry& entry, bool resolved);
  bool MayLaunch(Entry& entry);
  void Launch(Entry& entry);
  void LaunchSoon();
  void LaunchWaiting();
  void FailUnsendable();

  SystemEventLoop& loop;
  CURLM* multi = nullptr;
  Timer curl_timer;
  Timer soon;  // what Start and libcurl's callbacks may not do themselves
  LookupGate gate;
  HttpRequestId last_id = 0;
  std::unordered_map<HttpRequestId, Entry> entries;
  std::deque<HttpRequestId> waiting;     // for a look-up, first come first served
  std::deque<HttpRequestId> unsendable;  // until their handlers are told
  std::vector<CURL*> idle_handles;
  bool in_curl = false;
};

CurlTransport::Impl::Impl(SystemEventLoop& event_loop, const CurlTransportOptions& options)
    : loop(event_loop), curl_timer(event_loop), soon(event_loop), gate(options.lookups_max) {
  InitCurlOnce();
  multi = curl_multi_init();
  CHECK(multi != nullptr);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Impl::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Impl::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
}

CurlTransport::Impl::~Impl() {
  for (auto& [id, entry] : entries) Release(entry, false);
  entries.clear();
  for (CURL* easy : idle_handles) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);  // closes connections, which takes their descriptors off the loop
}

int CurlTransport::Impl::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  auto* const impl = static_cast<Impl*>(self);
  if (what == CURL_POLL_REMOVE) {
    impl->loop.RemoveFd(socket);
    return 0;
  }
  const uint32_t in = (what & CURL_POLL_IN) != 0 ? uint32_t{EPOLLIN} : 0;
  const uint32_t out = (what & CURL_POLL_OUT) != 0 ? uint32_t{EPOLLOUT} : 0;
  impl->loop.WatchFd(socket, in | out, [impl, socket](uint32_t events) {
    int action = 0;
    if ((events & (EPOLLIN | EPOLLHUP)) != 0) action |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) action |= CURL_CSELECT_OUT;
    if ((events & EPOLLERR) != 0) action |= CURL_CSELECT_ERR;
    impl->SocketAction(socket, action);
  });
  return 0;
}

int CurlTransport::Impl::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto* const impl = static_cast<Impl*>(self);
  if (timeout_ms < 0) {
    impl->curl_timer.Cancel();
  } else {
    impl->curl_timer.SetAfter(milliseconds(timeout_ms),
                              [impl] { impl->SocketAction(CURL_SOCKET_TIMEOUT, 0); });
  }
  return 0;
}

void CurlTransport::Impl::SocketAction(curl_socket_t socket, int events) {
  int running = 0;
  in_curl = true;
  curl_multi_socket_action(multi, socket, events, &running);
  in_curl = false;
  CollectDone();
}

void CurlTransport::Impl::CollectDone() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CurlExchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    Finish(exchange->id(), exchange->OutcomeOf(code));
  }
}

void CurlTransport::Impl::Finish(HttpRequestId id, const HttpOutcome& outcome) {
  auto node = entries.extract(id);
  Release(node.mapped(), outcome.ok());
  CurlExchange& exchange = *node.mapped().exchange;
  if (!exchange.trailers().empty()) exchange.handler().OnTrailers(exchange.trailers());
  exchange.handler().OnDone(outcome);
}

// Takes the exchange off libcurl and off the gate. A handle that stopped halfway may hold on to its
// buffer, so only those that came to a good end are worth keeping.
void CurlTransport::Impl::Release(Entry& entry, bool reuse_handle) {
  CurlExchange& exchange = *entry.exchange;
  exchange.timeout().Cancel();
  if (entry.in_lookup) LeaveLookup(entry, false);
  if (exchange.easy() == nullptr) {
    std::erase(waiting, exchange.id());
    return;
  }
  curl_multi_remove_handle(multi, exchange.easy());
  CURL* const easy = exchange.Detach();
  if (reuse_handle && idle_handles.size() < kIdleHandlesMax) {
    idle_handles.push_back(easy);
  } else {
    curl_easy_cleanup(easy);
  }
}

void CurlTransport::Impl::LeaveLookup(Entry& entry, bool resolved) {
  entry.in_lookup = false;
  gate.Leave(entry.host, resolved, loop.Now());
  if (!waiting.empty()) LaunchSoon();
}

void CurlTransport::Impl::LaunchSoon() {
  if (!soon.active()) soon.Set(loop.Now(), [this] { LaunchWaiting(); });
}

bool CurlTransport::Impl::MayLaunch(Entry& entry) {
  if (gate.Known(entry.host, loop.Now())) return true;
  entry.in_lookup = gate.Enter(entry.host);
  return entry.in_lookup;
}

void CurlTransport::Impl::Launch(Entry& entry) {
  CURL* easy = nullptr;
  if (idle_handles.empty()) {
    easy = curl_easy_init();
    CHECK(easy != nullptr);
  } else {
    easy = idle_handles.back();
    idle_handles.pop_back();
  }
  entry.exchange->Attach(easy, [this, &entry] {
    if (entry.in_lookup) LeaveLookup(entry, true);
  });
  CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
}

void CurlTransport::Impl::LaunchWaiting() {
  FailUnsendable();
  for (size_t left = waiting.size(); left > 0; left--) {
    const HttpRequestId id = waiting.front();
    waiting.pop_front();
    Entry& entry = entries.at(id);
    if (MayLaunch(entry)) {
      Launch(entry);
    } else {
      waiting.push_back(id);  // once around: the order stays
    }
  }
}

void CurlTransport::Impl::FailUnsendable() {
  // Those that handlers add now have their turn later.
  std::deque<HttpRequestId> failing = std::exchange(unsendable, {});
  for (const HttpRequestId id : failing) {
    if (!entries.contains(id)) continue;  // cancelled
    HttpOutcome outcome;
    outcome.failure = HttpFailure::kInvalidUrl;
    outcome.message = "not a valid http or https URL, or a header with a line break";
    Finish(id, outcome);
  }
}

CurlTransport::CurlTransport(SystemEventLoop& loop, CurlTransportOptions options)
    : impl_(std::make_unique<Impl>(loop, options)) {
  SetConnectionsMax(options.connections_max);
}

CurlTransport::~CurlTransport() = default;

HttpRequestId CurlTransport::Start(const HttpRequest& request, HttpHandler* handler) {
  Impl& impl = *impl_;
  const HttpRequestId id = ++impl.last_id;
  Impl::Entry& entry = impl.entries[id];  // stays where it is until it is extracted
  std::optional<HttpUrl> url = ParseHttpUrl(request.url);
  const bool sendable =
      HeadersAreSendable(request.headers) &&
      (request.proxy == nullptr || HeadersAreSendable(request.proxy->connect_headers));
  if (url && sendable) entry.host = HostToLookUp(request, *url);
  entry.exchange =
      std::make_unique<CurlExchange>(id, request, url.value_or(HttpUrl()), handler, impl.loop);
  if (entry.host.empty()) {
    impl.unsendable.push_back(id);
    impl.LaunchSoon();
    return id;
  }
  entry.exchange->timeout().SetAfter(entry.exchange->request().timeout, [&impl, &entry] {
    impl.Finish(entry.exchange->id(), entry.exchange->TimedOut());
  });
  if (!impl.in_curl && impl.gate.Known(entry.host, impl.loop.Now())) {
    impl.Launch(entry);
  } else {
    impl.waiting.push_back(id);
    impl.LaunchSoon();
  }
  return id;
}

void CurlTransport::Cancel(HttpRequestId id) {
  CHECK(!impl_->in_curl);  // the contract forbids it
  auto node = impl_->entries.extract(id);
  if (node.empty()) return;
  impl_->Release(node.mapped(), false);
}

void CurlTransport::SetConnectionsMax(size_t connections_max) {
  const auto count = static_cast<long>(std::clamp<size_t>(connections_max, 1, 1 << 20));
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, count);
}

}  // namespace tributary
