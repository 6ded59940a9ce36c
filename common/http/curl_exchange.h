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
#include "common/http/http_url.h"
#include "common/http/transport.h"

namespace tributary {

// A list of libcurl's; it must outlive what uses it.
class CurlList {
 public:
  CurlList() = default;
  ~CurlList() { curl_slist_free_all(list_); }
  CurlList(const CurlList&) = delete;
  CurlList& operator=(const CurlList&) = delete;
  void Add(const std::string& line);
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

class CurlExchange {
 public:
  // `url` is that of the request.
  CurlExchange(HttpRequestId id, HttpRequest request, HttpUrl url, HttpHandler* handler,
               EventLoop& loop);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  HttpRequestId id() const { return id_; }
  const HttpRequest& request() const { return request_; }
  HttpHandler& handler() { return *handler_; }
  const std::vector<HttpHeader>& trailers() const { return trailers_; }
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

  static CURLcode OnTlsContext(CURL*, void* context, void* self);

  // curl_options.cc
  bool HasHttpsProxy() const;
  void SetOptions();
  void SetConnectionOptions();
  void SetHttpVersion();
  void SetTls();
  void SetServerName(const std::string& name);
  void SetProxy();
  void SetMethodAndBody();
  void SetHeaders();
  bool HeaderLine(std::string_view line);
  void EndOfHead();
  HttpFailure FailureOf(CURLcode code) const;
  bool Passed(CURLINFO time) const;
  bool MayBeSentAgain() const;
  bool IsRefusedResend(CURLcode code) const;

  const HttpRequestId id_;
  const HttpRequest request_;
  const HttpUrl url_;
  HttpHandler* const handler_;
  Timer timeout_;
  CURL* easy_ = nullptr;
  CurlList headers_, proxy_headers_, connect_to_;
  std::function<void()> resolved_;
  std::array<char, CURL_ERROR_SIZE> error_{};

  HttpResponseHead head_;
  std::vector<HttpHeader> trailers_;
  size_t head_bytes_ = 0;
  bool in_head_ = false;  // between a status line and its empty line
  bool head_delivered_ = false;
  bool head_too_large_ = false;
  bool aborted_ = false;
  // Whether libcurl has set out to send, and the bytes sent before it last did.
  bool sending_ = false;
  long bytes_before_sending_ = 0;
};

}  // namespace tributary
