// Requests as one HTTP client configuration has them: with its credentials, over any transport.
// Source: prometheus/common config/http_config.go.
//
// One thread (the loop's). Files are read at each request, so that a rotated secret needs no
// reload; they are small, and bounded to 1 MiB. What keeps a request from being sent comes to its
// handler as HttpFailure::kCredentials, with a message that names the file and never what is in it.
//
// Loop, transport and file system must outlive the client. The client may go in its handlers'
// OnDone.
#pragma once

#include <memory>
#include <unordered_map>

#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"

namespace tributary {

class HttpClient {
 public:
  HttpClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
             const HttpClientConfig& config);
  ~HttpClient();  // cancels what is under way
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Adds to the request what the configuration says, and takes `follow_redirects` from it. An
  // Authorization header that the request already has stays, and none is added. Never calls the
  // handler from inside; it must live as for HttpTransport.
  HttpRequestId Start(HttpRequest request, HttpHandler* handler);
  // As HttpTransport's.
  void Cancel(HttpRequestId id);

 private:
  class Call;

  void Finish(HttpRequestId id, const HttpOutcome& outcome);

  EventLoop& loop_;
  HttpTransport& transport_;
  FileSystem& files_;
  const HttpClientConfig config_;
  HttpRequestId last_id_ = 0;
  std::unordered_map<HttpRequestId, std::unique_ptr<Call>> calls_;
};

}  // namespace tributary
