#include "test/support/sim/sim_network.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr size_t kExchangesKept = 10'000;
constexpr size_t kHeadBytesMax = 64 << 10;

size_t Bytes(const std::vector<HttpHeader>& headers) {
  size_t bytes = 0;
  for (const HttpHeader& header : headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

struct Url {
  std::string scheme;
  std::string host;
  std::string port;
  std::string target;
  std::string Server() const { return host + ":" + port; }
};

// Enough of RFC 3986 for tests: userinfo and fragment are dropped, nothing is decoded.
std::optional<Url> ParseUrl(const std::string& text) {
  Url url;
  const size_t scheme = text.find("://");
  if (scheme == std::string::npos) return std::nullopt;
  url.scheme = text.substr(0, scheme);
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  const size_t start = scheme + 3;
  const size_t end = std::min(text.find_first_of("/?#", start), text.size());
  std::string authority = text.substr(start, end - start);
  if (const size_t at = authority.rfind('@'); at != std::string::npos) authority.erase(0, at + 1);
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  url.host = authority.substr(0, colon);
  url.port = url.scheme == "http" ? "80" : "443";
  if (colon != std::string::npos) url.port = authority.substr(colon + 1);
  const bool digits = url.port.find_first_not_of("0123456789") == std::string::npos;
  if (url.host.empty() || url.port.empty() || url.port.size() > 5 || !digits) return std::nullopt;
  if (std::stoi(url.port) > 65535 || text.find_first_of(" \r\n") != std::string::npos) {
    return std::nullopt;
  }
  url.target = text.substr(end, text.find('#', end) - end);
  if (url.target.empty() || url.target[0] == '?') url.target.insert(0, "/");
  return url;
}

bool IsLiteral(const std::string& host) {
  return host == "localhost" || host[0] == '[' ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

uint64_t Mix(uint64_t seed, const std::string& text) {
  for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return seed;
}

}  // namespace

uint64_t SimRandom::Next() {  // splitmix64
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

bool SimRandom::Chance(double probability) {
  if (probability <= 0) return false;  // faults that are off draw nothing
  return static_cast<double>(Next() >> 11) * 0x1p-53 < probability;
}

nanoseconds SimRandom::Between(nanoseconds min, nanoseconds max) {
  if (max <= min) return min;
  return min + nanoseconds(Below(static_cast<uint64_t>((max - min).count()) + 1));
}

SimServer& SimNetwork::Listen(const std::string& host_port, ReplyScript script) {
  std::unique_ptr<SimServer>& server = servers_[host_port];
  if (!server) {
    server = std::make_unique<SimServer>();
    server->random = SimRandom(Mix(seed_ * 0x9e3779b97f4a7c15 + 1, host_port));
  }
  server->script = std::move(script);
  return *server;
}

SimServer* SimNetwork::Find(const std::string& host_port) {
  const auto found = servers_.find(host_port);
  return found == servers_.end() ? nullptr : found->second.get();
}

SimNetwork::Lookup SimNetwork::LookUp(const std::string& host, nanoseconds* delay) const {
  *delay = nanoseconds(0);
  if (const auto found = names_.find(host); found != names_.end()) {
    *delay = found->second.delay;
    return found->second.fails ? Lookup::kFails : Lookup::kFound;
  }
  if (IsLiteral(host)) return Lookup::kFound;
  const auto server = servers_.lower_bound(host + ":");
  const bool known = server != servers_.end() && server->first.rfind(host + ":", 0) == 0;
  return known ? Lookup::kFound : Lookup::kFails;
}

void SimNetwork::Record(SimExchange exchange) {
  exchanges_total_++;
  exchanges_.push_back(std::move(exchange));
  if (exchanges_.size() > kExchangesKept) exchanges_.pop_front();
}

// One request. Its life: LookUp, Connect, Arrive, Head, Chunk..., End; each step
// sets the timer for the next.
class SimTransport::Exchange {
 public:
  Exchange(SimTransport& owner, HttpRequestId id, HttpRequest request, HttpHandler* handler)
      : owner_(owner),
        id_(id),
        request_(std::move(request)),
        handler_(handler),
        step_(owner.loop_),
        timeout_(owner.loop_) {
    record_.client = owner.client_;
    record_.method = request_.method;
    record_.started = owner.loop_.Now();
    timeout_.SetAfter(request_.timeout, [this] {
      Finish(HttpFailure::kTimeout,
             "timed out after " + std::to_string(request_.timeout.count() / 1'000'000) + " ms");
    });
    const bool breaks =
        std::any_of(request_.headers.begin(), request_.headers.end(), [](const HttpHeader& header) {
          return (header.name + header.value).find_first_of("\r\n") != std::string::npos;
        });
    Begin(breaks ? "" : request_.url);
  }

  void Record(bool cancelled) {
    record_.cancelled = cancelled;
    record_.ended = owner_.loop_.Now();
    owner_.network_.Record(std::move(record_));
  }
  bool in_callback() const { return in_callback_; }

 private:
  using Step = void (Exchange::*)();

  void After(nanoseconds delay, Step step) {
    step_.SetAfter(delay, [this, step] { (this->*step)(); });
  }
  void FailAfter(nanoseconds delay, HttpFailure failure, std::string message) {
    step_.SetAfter(delay,
                   [this, failure, message = std::move(message)] { Finish(failure, message); });
  }

  void Begin(const std::string& text) {
    const std::optional<Url> url = ParseUrl(text);
    if (!url) {
      FailAfter(nanoseconds(0), HttpFailure::kInvalidUrl,
                "not a valid http or https URL, or a header with a line break");
      return;
    }
    url_ = *url;
    record_.server = url_.Server();
    record_.target = url_.target;
    nanoseconds delay;
    if (owner_.network_.LookUp(url_.host, &delay) == SimNetwork::Lookup::kFails) {
      FailAfter(delay, HttpFailure::kResolve, "could not resolve host: " + url_.host);
    } else {
      After(delay, &Exchange::Connect);
    }
  }

  void Connect() {
    const nanoseconds latency = owner_.network_.latency_;
    SimServer* server = owner_.network_.Find(url_.Server());
    if (server != nullptr && server->unreachable) return;  // until the timeout
    if (server == nullptr || server->refusing || server->random.Chance(server->faults.refuse)) {
      FailAfter(2 * latency, HttpFailure::kConnect, "connection refused by " + url_.Server());
      return;
    }
    After(3 * latency, &Exchange::Arrive);
  }

  void Arrive() {
    SimServer& server = *owner_.network_.Find(url_.Server());
    const nanoseconds latency = owner_.network_.latency_;
    const SimFaults& faults = server.faults;
    if (server.unreachable) return;
    if (server.refusing || server.random.Chance(faults.lose_request)) {
      FailAfter(latency, HttpFailure::kClosed, "connection reset by " + url_.Server());
      return;
    }
    if (server.random.Chance(faults.error)) {
      reply_ = ScriptedReply::Text(faults.error_status, "error by chance\n");
    } else {
      server.requests++;
      record_.served = true;
      reply_ = server.script(Served());
    }
    if (server.random.Chance(faults.lose_reply)) {
      reply_ = ScriptedReply::Broken(ScriptedReply::End::kReset);
    } else if (server.random.Chance(faults.hang)) {
      reply_ = ScriptedReply::Broken(ScriptedReply::End::kHang);
    } else if (server.random.Chance(faults.cut)) {
      size_t bytes = 0;
      for (const std::string& chunk : reply_.chunks) bytes += chunk.size();
      reply_.Cut(ScriptedReply::End::kClose, server.random.Below(bytes));
    }
    const nanoseconds extra = server.random.Between(faults.latency_min, faults.latency_max);
    After(reply_.before_head + extra + latency, &Exchange::Head);
  }

  ServedRequest Served() const {
    ServedRequest served;
    served.method = request_.method;
    served.target = url_.target;
    served.headers = request_.headers;
    served.headers.push_back({"Host", url_.Server()});
    if (request_.body) {
      served.body = *request_.body;
      served.headers.push_back({"Content-Length", std::to_string(served.body.size())});
    }
    served.http2 = request_.http2_only;
    served.time = owner_.loop_.Now();
    return served;
  }

  void Head() {
    if (!reply_.raw.empty()) {
      Finish(HttpFailure::kBadResponse, "not an HTTP response");
      return;
    }
    if (reply_.end != ScriptedReply::End::kComplete && !reply_.head_sent) {
      Break();
      return;
    }
    HttpResponseHead head;
    head.status = reply_.status;
    head.headers = reply_.headers;
    record_.outcome.status = reply_.status;
    if (Bytes(head.headers) > kHeadBytesMax) {
      Finish(HttpFailure::kBadResponse, "response header over 64 KiB");
      return;
    }
    in_callback_ = true;
    handler_->OnHead(head);
    in_callback_ = false;
    const bool no_body = request_.method == "HEAD" || reply_.status == 204 || reply_.status == 304;
    if (no_body) {
      reply_.chunks.clear();
      reply_.trailers.clear();
    }
    NextChunk();
  }

  void NextChunk() {
    const bool broken = reply_.end != ScriptedReply::End::kComplete;
    if (broken && sent_ >= reply_.body_bytes) {
      After(reply_.before_chunk, &Exchange::Break);
    } else if (chunk_ < reply_.chunks.size()) {
      After(reply_.before_chunk, &Exchange::Chunk);
    } else if (reply_.more != nullptr) {
      After(reply_.before_chunk, &Exchange::More);
    } else if (broken) {
      Break();
    } else {
      After(nanoseconds(0), &Exchange::Complete);
    }
  }

  void More() {
    std::optional<std::string> chunk = reply_.more();
    if (chunk) {
      reply_.chunks.push_back(*std::move(chunk));
      Chunk();
    } else {
      reply_.more = nullptr;
      NextChunk();
    }
  }

  void Chunk() {
    std::string_view bytes = reply_.chunks[chunk_++];
    if (reply_.end != ScriptedReply::End::kComplete) {
      bytes = bytes.substr(0, reply_.body_bytes - sent_);
    }
    sent_ += bytes.size();
    SimServer& server = *owner_.network_.Find(url_.Server());
    while (!bytes.empty()) {
      size_t piece = bytes.size();
      if (server.faults.piece_bytes_max > 0) {
        piece = std::min(piece, 1 + server.random.Below(server.faults.piece_bytes_max));
      }
      in_callback_ = true;
      const bool wanted = handler_->OnBody(bytes.substr(0, piece));
      in_callback_ = false;
      if (!wanted) {
        Finish(HttpFailure::kAborted, "the body was refused");
        return;
      }
      bytes.remove_prefix(piece);
    }
    NextChunk();
  }

  void Break() {
    switch (reply_.end) {
      case ScriptedReply::End::kHang:
        return;  // until the timeout
      case ScriptedReply::End::kReset:
        Finish(HttpFailure::kClosed, "connection reset by " + url_.Server());
        return;
      default:
        Finish(HttpFailure::kClosed, "connection closed by " + url_.Server());
    }
  }

  void Complete() {
    if (Bytes(reply_.headers) + Bytes(reply_.trailers) > kHeadBytesMax) {
      Finish(HttpFailure::kBadResponse, "response header over 64 KiB");
      return;
    }
    in_callback_ = true;
    if (!reply_.trailers.empty()) handler_->OnTrailers(reply_.trailers);
    in_callback_ = false;
    Finish(HttpFailure::kNone, "");
  }

  // Destroys this object.
  void Finish(HttpFailure failure, std::string message) {
    record_.outcome.failure = failure;
    record_.outcome.message = std::move(message);
    const HttpOutcome outcome = record_.outcome;
    HttpHandler* const handler = handler_;
    Record(false);
    const auto node = owner_.exchanges_.extract(id_);  // lives until the handler is through
    step_.Cancel();
    timeout_.Cancel();
    handler->OnDone(outcome);
  }

  SimTransport& owner_;
  const HttpRequestId id_;
  HttpRequest request_;
  HttpHandler* const handler_;
  Url url_;
  ScriptedReply reply_;
  size_t chunk_ = 0;
  size_t sent_ = 0;
  bool in_callback_ = false;
  SimExchange record_;
  Timer step_;
  Timer timeout_;
};

SimTransport::SimTransport(SimNetwork& network, EventLoop& loop, std::string client)
    : network_(network), loop_(loop), client_(std::move(client)) {}

SimTransport::~SimTransport() {
  // In the order of their making, so that the record is the same every time.
  std::vector<HttpRequestId> ids;
  for (const auto& [id, exchange] : exchanges_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const HttpRequestId id : ids) Cancel(id);
}

HttpRequestId SimTransport::Start(const HttpRequest& request, HttpHandler* handler) {
  const HttpRequestId id = ++last_;
  exchanges_[id] = std::make_unique<Exchange>(*this, id, request, handler);
  return id;
}

void SimTransport::Cancel(HttpRequestId id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) return;
  CHECK(!found->second->in_callback());  // the contract forbids it
  found->second->Record(true);
  exchanges_.erase(found);
}

}  // namespace tributary
