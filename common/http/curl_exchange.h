// One request of CurlTransport: its options on an easy handle, its way from libcurl's callbacks to
// the handler, and its outcome. Private to this folder. Loop thread only.
#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/event/event_loop.h"
#include "common/http/transport.h"

namespace tributary {

// The host of an absolute http or https URL, in brackets if it is an IPv6 address; "" for anything
// else.
std::string HostOfUrl(const std::string& url);
// Whether the headers can be sent as they are: no line breaks, no empty names.
bool HeadersAreSendable(const std::vector<HttpHeader>& headers);

class CurlExchange {
 public:
  CurlExchange(HttpRequestId id, HttpRequest request, HttpHandler* handler, EventLoop& loop);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  HttpRequestId id() const { return id_; }
  const HttpRequest& request() const { return request_; }
  HttpHandler& handler() { return *handler_; }
  Timer& timeout() { return timeout_; }
  CURL* easy() const { return easy_; }

  // Sets all options on a clean handle, which must be Reset before the exchange goes. `resolved` is
  // called, from inside libcurl, when the request is past its name look-up.
  void Attach(CURL* easy, std::function<void()> resolved);
  // Takes the handle off, for the pool.
  CURL* Detach();

  HttpOutcome OutcomeOf(CURLcode code) const;
  HttpOutcome TimedOut() const;

 private:
  static size_t OnHeaderLine(char* data, size_t size, size_t count, void* self);
  static size_t OnBodyBytes(char* data, size_t size, size_t count, void* self);
  static int OnSocket(void* self, curl_socket_t socket, curlsocktype purpose);
  static int OnBeforeRequest(void* self, char*, char*, int, int);

  void SetConnectionOptions();
  void SetMethodAndBody();
  void SetHeaders();
  bool HeaderLine(std::string_view line);
  void AddHeader(std::string_view line);
  void EndOfHead();
  HttpFailure FailureOf(CURLcode code) const;
  bool Passed(CURLINFO time) const;
  long RedirectsFollowed() const;
  bool MayBeSentAgain() const;
  bool IsRefusedResend(CURLcode code) const;

  const HttpRequestId id_;
  const HttpRequest request_;
  HttpHandler* const handler_;
  Timer timeout_;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  std::function<void()> resolved_;
  std::array<char, CURL_ERROR_SIZE> error_{};

  HttpResponseHead head_;
  size_t head_bytes_ = 0;
  bool in_head_ = false;  // between a status line and its empty line
  bool head_delivered_ = false;
  bool head_too_large_ = false;
  bool aborted_ = false;
  // The redirect that was followed when libcurl last set out to send, and the bytes sent before
  // that.
  long sending_after_redirect_ = -1;
  long bytes_before_sending_ = 0;
};

}  // namespace tributary
