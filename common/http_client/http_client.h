// Requests as one HTTP client configuration has them, over any transport: with its credentials,
// headers, TLS settings and proxy, and with redirects followed. Source: prometheus/common
// config/http_config.go and config/headers.go (0.72).
//
// One thread (the loop's). Files are read at each request, so that a rotated secret or certificate
// needs no reload; they are small, and bounded to 1 MiB. What keeps a request from being sent comes
// to its handler as HttpFailure::kCredentials, with a message that names the file and never what is
// in it.
//
// Redirects: at most ten requests in all, within the request's timeout. Authorization and Cookie
// headers go no further than to the first host and the names below it, at whatever port; once a
// redirect has left those, they are gone for the rest of the way. Other headers follow everywhere,
// those of http_headers too. A signature is for one host and one path: with a signer, each request
// of the way bears its own.
//
// Loop, transport and file system must outlive the client. The client may go in its handlers'
// OnDone.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/proxy_rules.h"
#include "common/http_client/request_signer.h"
#include "common/http_client/request_watcher.h"
#include "common/http_client/tls_source.h"
#include "common/http_client/token_source.h"

namespace tributary {

class HttpClient {
 public:
  HttpClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
             const HttpClientConfig& config, std::unique_ptr<RequestSigner> signer = nullptr);
  ~HttpClient();  // cancels what is under way
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Adds to the request what the configuration says; `tls`, `proxy` and `http2` are not the
  // caller's to set. An Authorization header that the request already has stays, and none is added.
  // Never calls the handler from inside; it must live as for HttpTransport. A signer signs the
  // headers that the request has here, and none that the client adds. Null: nobody watches.
  HttpRequestId Start(HttpRequest request, HttpHandler* handler, RequestWatcher* watcher = nullptr);
  // As HttpTransport's.
  void Cancel(HttpRequestId id);
  // The oauth2 token that requests are sent with, for who shows what a server answers; "": none.
  std::string access_token() const { return tokens_ == nullptr ? "" : tokens_->Token(); }

 private:
  class Call;

  // Completes the request, but for an oauth2 token.
  Status Prepare(HttpRequest& request);
  Status AddHeaders(HttpRequest& request);
  void OnToken(const Result<std::string>& authorization);
  void OnSignerReady(const Status& ready);
  // In the order in which they were started.
  std::vector<Call*> Waiting() const;
  void Finish(HttpRequestId id, const HttpOutcome& outcome);

  EventLoop& loop_;
  HttpTransport& transport_;
  FileSystem& files_;
  const HttpClientConfig config_;
  TlsSource tls_;
  const ProxyRules proxies_;
  std::unique_ptr<TokenSource> tokens_;    // null: no oauth2
  std::unique_ptr<RequestSigner> signer_;  // null: nothing is signed
  HttpRequestId last_id_ = 0;
  std::unordered_map<HttpRequestId, std::unique_ptr<Call>> calls_;
};

}  // namespace tributary
