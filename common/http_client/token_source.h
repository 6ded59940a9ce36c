// Tokens of an OAuth 2.0 server by the grant client_credentials, fetched when they are needed.
// Source: RFC 6749, 4.4; golang.org/x/oauth2 clientcredentials and internal/token.go;
// prometheus/common config/http_config.go (oauth2RoundTripper).
//
// A token is used until ten seconds before it expires. The client's secret goes into the
// Authorization header; a server that refuses the first token so is asked again with the secret in
// the form, and what worked is kept. A secret file is read at each use; another secret means
// another token. One fetch at a time, of at most 30 s and 1 MiB.
//
// One thread (the loop's). Errors have the server's words, but never a secret.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/compress/inflate.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/token_response.h"

namespace tributary {

class HttpClient;

class TokenSource : private HttpHandler {
 public:
  // Of the header Authorization, or why there is none.
  using Fetched = std::function<void(const Result<std::string>& authorization)>;
  // `fetched` runs at the end of each fetch and must not end the source.
  TokenSource(EventLoop& loop, HttpTransport& transport, FileSystem& files,
              const Oauth2Config& config, Fetched fetched);
  ~TokenSource() override;
  TokenSource(const TokenSource&) = delete;
  TokenSource& operator=(const TokenSource&) = delete;

  // The header's value; nullopt: a fetch is under way and will tell. An error where the secret's
  // file cannot be read. The User-Agent is that of the request that asks.
  Result<std::optional<std::string>> Authorization(std::string_view user_agent);
  // The token of the last fetch, without its type; "": there is none.
  std::string Token() const;

 private:
  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const HttpOutcome& outcome) override;

  void Fetch();
  Result<AccessToken> Read(const HttpOutcome& outcome) const;
  std::string WithoutSecret(std::string message) const;

  EventLoop& loop_;
  FileSystem& files_;
  const Oauth2Config config_;
  const Fetched fetched_;
  std::unique_ptr<HttpClient> client_;  // towards the token server

  std::optional<std::string> secret_;  // that what follows is about
  std::optional<AccessToken> token_;
  MonotonicTime token_ends_ = MonotonicTime::max();
  bool style_known_ = false;
  bool secret_in_form_ = false;

  HttpRequestId request_ = 0;
  std::string user_agent_;
  std::string content_type_;
  std::unique_ptr<Gunzip> gunzip_;  // while a body comes compressed
  std::string body_;
};

}  // namespace tributary
