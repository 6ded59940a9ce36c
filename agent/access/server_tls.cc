#include "agent/access/server_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <string_view>
#include <utility>

#include "common/base/assert.h"
#include "common/http/pem.h"

namespace tributary {
namespace {

using Session = std::unique_ptr<SSL, Freed<SSL_free>>;

constexpr std::pair<std::string_view, std::string_view> kCiphers[] = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"}};
constexpr std::pair<std::string_view, std::string_view> kCurves[] = {
    {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};

constexpr char kSpokePlain[] =
    "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n"
    "Client sent an HTTP request to an HTTPS server.\n";

int VersionOf(std::string_view name) {
  if (name == "TLS10") return TLS1_VERSION;
  if (name == "TLS11") return TLS1_1_VERSION;
  return name == "TLS12" ? TLS1_2_VERSION : TLS1_3_VERSION;
}

// OpenSSL's names of those that are wanted, or of all if none is, in a list.
template <typename Table>
std::string NamesOf(const Table& table, const std::vector<std::string>& wanted) {
  std::string names;
  const auto add = [&](std::string_view name) { (names += names.empty() ? "" : ":") += name; };
  if (wanted.empty()) {
    for (const auto& [ours, theirs] : table) add(theirs);
  }
  for (const std::string& each : wanted) {
    for (const auto& [ours, theirs] : table) {
      if (ours == each) add(theirs);
    }
  }
  return names;
}

int AcceptAnyCertificate(X509_STORE_CTX*, void*) { return 1; }

int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned size, void*) {
  static constexpr unsigned char kHttp1[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp1, sizeof(kHttp1) - 1, offered, size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

std::string TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string AddressOf(const ASN1_OCTET_STRING* address) {
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16) return "";
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

std::string AlternativeName(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
      return TextOf(name.d.ia5);
    case GEN_IPADD:
      return AddressOf(name.d.iPAddress);
    default:
      return "";
  }
}

void DemandCertificates(SSL_CTX* context, ClientAuth auth, X509_STORE* roots) {
  const bool required = auth == ClientAuth::kRequireAny || auth == ClientAuth::kRequireAndVerify;
  const bool verified = auth == ClientAuth::kVerifyIfGiven || auth == ClientAuth::kRequireAndVerify;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  if (verified) {
    SSL_CTX_set1_cert_store(context, roots);
  } else {
    SSL_CTX_set_cert_verify_callback(context, AcceptAnyCertificate, nullptr);
  }
}

}  // namespace

struct ServerTls::Context {
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> ssl;
};

class ServerTls::TlsChannel : public Channel {
 public:
  TlsChannel(int fd, Session session, std::shared_ptr<const ServerTls> tls)
      : Channel(fd), session_(std::move(session)), tls_(std::move(tls)) {}
  ~TlsChannel() override {
    if (SSL_is_init_finished(session_.get()) == 1 && !tls_failed_) SSL_shutdown(session_.get());
    ERR_clear_error();
  }

  ssize_t Read(char* data, size_t size) override {
    if (!Greet()) return tls_failed_ ? kFailed : kWait;
    return Outcome(
        SSL_read(session_.get(), data, static_cast<int>(std::min<size_t>(size, INT_MAX))));
  }
  ssize_t Write(const char* data, size_t size) override {
    if (size == 0) return 0;
    if (!Greet()) return tls_failed_ ? kFailed : kWait;
    return Outcome(
        SSL_write(session_.get(), data, static_cast<int>(std::min<size_t>(size, INT_MAX))));
  }
  bool has_bytes() const override { return SSL_pending(session_.get()) > 0; }

 private:
  // The handshake, as far as it goes; true once it is done and good.
  bool Greet() {
    if (greeted_) return true;
    if (tls_failed_) return false;
    const int done = SSL_do_handshake(session_.get());
    if (done != 1) {
      const unsigned long error = ERR_peek_error();
      if (Outcome(done) == kWait) return false;
      tls_failed_ = true;
      if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) {
        send(fd(), kSpokePlain, sizeof(kSpokePlain) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      }
      return false;
    }
    greeted_ = tls_->MayCome(session_.get());
    tls_failed_ = !greeted_;
    return greeted_;
  }

  ssize_t Outcome(int count) {
    if (count > 0) return count;
    const int error = SSL_get_error(session_.get(), count);
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    awaited_ = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? kWait : kFailed;
  }

  const Session session_;
  const std::shared_ptr<const ServerTls> tls_;
  bool greeted_ = false;
};

ServerTls::ServerTls() : context_(std::make_unique<Context>()) {}
ServerTls::~ServerTls() = default;

Result<std::shared_ptr<const ServerTls>> ServerTls::Make(const WebTlsConfig& config,
                                                         const TlsPem& certificate,
                                                         const TlsPem& key,
                                                         const TlsPem& client_ca) {
  const std::vector<OpensslCert> chain = PemCertificates(certificate.text);
  if (chain.empty()) return Fail("no certificate in " + certificate.source);
  const OpensslKey private_key = PemPrivateKey(key.text);
  if (private_key == nullptr) return Fail("no usable key in " + key.source);
  if (X509_check_private_key(chain.front().get(), private_key.get()) != 1) {
    ERR_clear_error();
    return Fail("the key in " + key.source + " is not that of the certificate in " +
                certificate.source);
  }
  const std::shared_ptr<ServerTls> tls(new ServerTls());
  tls->context_->ssl.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = tls->context_->ssl.get();
  CHECK(context != nullptr);
  int version_min = VersionOf(config.min_version);
  const int version_max = VersionOf(config.max_version);
  // OpenSSL's default level knows no version below 1.2.
  if (version_min < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  const std::string ciphers = NamesOf(kCiphers, config.cipher_suites);
  // Nothing is left for the versions below 1.3, which has suites of its own.
  if (ciphers.empty()) version_min = TLS1_3_VERSION;
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                   (config.prefer_server_cipher_suites ? SSL_OP_CIPHER_SERVER_PREFERENCE : 0));
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_alpn_select_cb(context, ChooseProtocol, nullptr);
  bool good =
      SSL_CTX_set_min_proto_version(context, version_min) == 1 &&
      SSL_CTX_set_max_proto_version(context, version_max) == 1 &&
      (ciphers.empty() || SSL_CTX_set_cipher_list(context, ciphers.c_str()) == 1) &&
      SSL_CTX_set1_groups_list(context, NamesOf(kCurves, config.curve_preferences).c_str()) == 1;
  if (!good || version_min > version_max) {
    ERR_clear_error();
    return Fail("OpenSSL cannot do with these versions, cipher_suites and curve_preferences");
  }
  good = SSL_CTX_use_certificate(context, chain.front().get()) == 1 &&
         SSL_CTX_use_PrivateKey(context, private_key.get()) == 1;
  for (size_t i = 1; i < chain.size(); i++) {
    good = good && SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  if (!good) {
    ERR_clear_error();
    return Fail("the certificate in " + certificate.source + " cannot be used");
  }
  OpensslStore roots;
  if (!client_ca.text.empty()) {
    const std::vector<OpensslCert> certificates = PemCertificates(client_ca.text);
    if (certificates.empty()) return Fail("no CA certificate in " + client_ca.source);
    roots = NewTrustStore();
    for (const OpensslCert& each : certificates) X509_STORE_add_cert(roots.get(), each.get());
  }
  if (config.client_auth != ClientAuth::kNone) {
    DemandCertificates(context, config.client_auth, roots != nullptr ? roots.get() : SystemRoots());
  }
  ERR_clear_error();
  tls->allowed_sans_ = config.client_allowed_sans;
  return tls;
}

std::unique_ptr<Channel> ServerTls::Accept(int fd) const {
  Session session(SSL_new(context_->ssl.get()));
  CHECK(session != nullptr);
  CHECK(SSL_set_fd(session.get(), fd) == 1);
  SSL_set_accept_state(session.get());
  return std::make_unique<TlsChannel>(fd, std::move(session), shared_from_this());
}

bool ServerTls::MayCome(SSL* session) const {
  if (allowed_sans_.empty()) return true;
  const X509* certificate = SSL_get0_peer_certificate(session);
  if (certificate == nullptr) return false;
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
    const std::string name = AlternativeName(*sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty() &&
        std::find(allowed_sans_.begin(), allowed_sans_.end(), name) != allowed_sans_.end()) {
      return true;
    }
  }
  return false;
}

}  // namespace tributary
