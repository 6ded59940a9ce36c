#include "tools/agentctl/recording_transport.h"

#include <algorithm>
#include <utility>

namespace tributary {

class RecordingTransport::Exchange : public HttpHandler {
 public:
  Exchange(RecordingTransport& owner, HttpHandler* handler)
      : owner_(owner), handler_(handler), started_(owner.loop_.Now()) {}

  void SetId(HttpRequestId id) { id_ = id; }

  void OnHead(const HttpResponseHead& head) override {
    owner_.record_.head = head;
    owner_.record_.first_byte = owner_.loop_.Now() - started_;
    handler_->OnHead(head);
  }

  bool OnBody(std::string_view bytes) override {
    WireRecord& record = owner_.record_;
    record.body_bytes += bytes.size();
    if (owner_.keeps_body_) {
      record.body += bytes.substr(0, kBodyBytesMax - std::min(kBodyBytesMax, record.body.size()));
    }
    return handler_->OnBody(bytes);
  }

  void OnDone(const HttpOutcome& outcome) override {
    owner_.record_.outcome = outcome;
    owner_.record_.total = owner_.loop_.Now() - started_;
    const std::unique_ptr<Exchange> self = std::move(owner_.exchanges_.extract(id_).mapped());
    handler_->OnDone(outcome);
  }

 private:
  RecordingTransport& owner_;
  HttpHandler* handler_;
  const MonotonicTime started_;
  HttpRequestId id_ = 0;
};

RecordingTransport::RecordingTransport(EventLoop& loop, HttpTransport& inner, bool keeps_body)
    : loop_(loop), inner_(inner), keeps_body_(keeps_body) {}

RecordingTransport::~RecordingTransport() = default;

HttpRequestId RecordingTransport::Start(const HttpRequest& request, HttpHandler* handler) {
  record_ = {};
  record_.request = request;
  auto exchange = std::make_unique<Exchange>(*this, handler);
  const HttpRequestId id = inner_.Start(request, exchange.get());
  exchange->SetId(id);
  exchanges_.emplace(id, std::move(exchange));
  return id;
}

void RecordingTransport::Cancel(HttpRequestId id) {
  inner_.Cancel(id);
  exchanges_.erase(id);
}

}  // namespace tributary
