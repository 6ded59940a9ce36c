// What a client shows and demands when it speaks TLS: parsed once, shared by all connections that
// use it.
//
// Immutable; any thread. Errors say which part cannot be used and where it came from, never what is
// in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/status.h"

struct ssl_ctx_st;

namespace tributary {

enum class TlsVersion : uint8_t { kAny, kTls10, kTls11, kTls12, kTls13 };

// PEM, and what messages call the place it is from ("file /etc/ca.pem").
struct TlsPem {
  std::string text;
  std::string source;
};

struct HttpTlsOptions {
  TlsPem ca;                // no text: the system's roots
  TlsPem certificate, key;  // both or none
  std::string server_name;  // the name to ask for and to verify; "": the URL's host
  bool verify = true;
  // kAny: TLS 1.2, as in Go, and the highest that there is.
  TlsVersion version_min = TlsVersion::kAny;
  TlsVersion version_max = TlsVersion::kAny;
};

class HttpTls {
 public:
  // As in Go: what is no certificate in `ca` is passed over, but there has to be one; each one
  // there is trusted, whether or not it is a root.
  static Result<std::shared_ptr<const HttpTls>> Make(const HttpTlsOptions& options);
  // The system's roots, and nothing special.
  static const HttpTls& Default();
  ~HttpTls();
  HttpTls(const HttpTls&) = delete;
  HttpTls& operator=(const HttpTls&) = delete;

  // Equal for equal options and for no others: what a connection is known by. A digest.
  const std::string& id() const { return id_; }
  const std::string& server_name() const { return server_name_; }
  bool verify() const { return verify_; }
  TlsVersion version_min() const { return version_min_; }
  TlsVersion version_max() const { return version_max_; }

  // Puts roots, certificate and key on OpenSSL's context of a connection. A `name` that is not
  // empty has to be in the server's certificate as an alternative name: as in Go, its common name
  // counts for nothing.
  bool Apply(ssl_ctx_st* context, const std::string& name) const;

 private:
  struct Material;
  HttpTls();

  std::string id_;
  std::string server_name_;
  bool verify_ = true;
  TlsVersion version_min_ = TlsVersion::kTls12;
  TlsVersion version_max_ = TlsVersion::kAny;
  std::unique_ptr<Material> material_;
};

}  // namespace tributary
