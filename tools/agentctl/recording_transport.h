// A transport over another one that writes down what went over the wire: for people who look at a
// scrape. One thread, as any transport.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "common/event/event_loop.h"
#include "common/http/transport.h"

namespace tributary {

// The last exchange that was begun.
struct WireRecord {
  HttpRequest request;
  HttpResponseHead head;  // status 0: none arrived
  HttpOutcome outcome;
  uint64_t body_bytes = 0;   // as sent: before inflating
  nanoseconds first_byte{};  // from the start to the response's head
  nanoseconds total{};       // to its end
  std::string body;          // as sent, if it is kept; the beginning of one that is too large
};

class RecordingTransport : public HttpTransport {
 public:
  // Of a body that is kept.
  static constexpr size_t kBodyBytesMax = 512 << 20;

  // Both must outlive it.
  RecordingTransport(EventLoop& loop, HttpTransport& inner, bool keeps_body);
  ~RecordingTransport() override;

  HttpRequestId Start(const HttpRequest& request, HttpHandler* handler) override;
  void Cancel(HttpRequestId id) override;

  const WireRecord& record() const { return record_; }

 private:
  class Exchange;

  EventLoop& loop_;
  HttpTransport& inner_;
  const bool keeps_body_;
  WireRecord record_;
  std::unordered_map<HttpRequestId, std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace tributary
