#include "test/support/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr size_t kBufferBytes = 32 << 10;

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* value) const {
    kFree(value);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;
using Cert = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

int Listen(const std::string& unix_path, uint16_t* port) {
  if (!unix_path.empty()) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK(unix_path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
    CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(listen(fd, 128) == 0);
    return fd;
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(listen(fd, 128) == 0);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  *port = ntohs(address.sin_port);
  return fd;
}

int ConnectTo(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

Relay::Relay(const std::string& unix_path) {
  listener_ = Listen(unix_path, &port_);
  stop_event_ = eventfd(0, EFD_CLOEXEC);
  CHECK(stop_event_ >= 0);
}

void Relay::Run() {
  acceptor_ = std::thread([this] {
    for (;;) {
      bool ready = false, none = false;
      if (!Wait(listener_, -1, &ready, &none)) break;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections_++;
      threads_.emplace_back([this, fd] {
        Serve(fd);
        close(fd);
      });
    }
    for (std::thread& thread : threads_) thread.join();
  });
}

void Relay::End() {
  const uint64_t one = 1;
  CHECK(write(stop_event_, &one, sizeof one) == sizeof one);  // never read: wakes all, for good
  acceptor_.join();
  close(listener_);
  close(stop_event_);
}

bool Relay::Wait(int a, int b, bool* a_ready, bool* b_ready) const {
  pollfd fds[3] = {{stop_event_, POLLIN, 0}, {a, POLLIN, 0}, {b, POLLIN, 0}};
  poll(fds, 3, -1);
  *a_ready = fds[1].revents != 0;
  *b_ready = fds[2].revents != 0;
  return fds[0].revents == 0;
}

void Relay::Copy(int a, int b) const {
  bool a_ready = false, b_ready = false;
  std::string buffer(kBufferBytes, '\0');
  while (Wait(a, b, &a_ready, &b_ready)) {
    for (const auto& [from, to, ready] : {std::tuple(a, b, a_ready), std::tuple(b, a, b_ready)}) {
      if (!ready) continue;
      const ssize_t size = recv(from, buffer.data(), buffer.size(), 0);
      if (size <= 0) return;
      if (!SendAll(to, std::string_view(buffer).substr(0, static_cast<size_t>(size)))) return;
    }
  }
}

TlsRelay::TlsRelay(uint16_t backend, TlsRelayOptions options)
    : backend_(backend), options_(std::move(options)) {
  Run();
}

TlsRelay::~TlsRelay() { End(); }

void TlsRelay::Replace(TestCertificate certificate) {
  const std::lock_guard lock(mutex_);
  options_.certificate = std::move(certificate);
}

std::vector<TlsHandshake> TlsRelay::handshakes() const {
  const std::lock_guard lock(mutex_);
  return handshakes_;
}

namespace {

Cert ReadCertificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Cert certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  CHECK(certificate != nullptr);
  return certificate;
}

// Notes what is offered, and takes HTTP/1.1.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                   const unsigned char* offered, unsigned size, void* handshake) {
  std::string& list = static_cast<TlsHandshake*>(handshake)->protocols;
  static constexpr std::string_view kHttp = "http/1.1";
  bool found = false;
  for (unsigned i = 0; i < size; i += 1U + offered[i]) {
    const std::string name(reinterpret_cast<const char*>(offered + i + 1), offered[i]);
    list += (list.empty() ? "" : ",") + name;
    found = found || name == kHttp;
  }
  *chosen = reinterpret_cast<const unsigned char*>(kHttp.data());
  *chosen_size = static_cast<unsigned char>(kHttp.size());
  return found ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Context MakeContext(const TlsRelayOptions& options, TlsHandshake* handshake) {
  Context context(SSL_CTX_new(TLS_server_method()));
  CHECK(context != nullptr);
  const Cert certificate = ReadCertificate(options.certificate.certificate);
  const std::string& key_pem = options.certificate.key;
  const Bio bio(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  CHECK(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  SSL_CTX_set_security_level(context.get(), 0);
  CHECK(SSL_CTX_set_min_proto_version(context.get(), options.version_min) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context.get(), options.version_max) == 1);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, handshake);
  if (!options.client_ca.empty()) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()),
                        ReadCertificate(options.client_ca).get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("t"), 1);
  }
  return context;
}

void Note(SSL* ssl, TlsHandshake* handshake) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) handshake->server_name = name;
  handshake->resumed = SSL_session_reused(ssl) == 1;
  const Cert client(SSL_get1_peer_certificate(ssl));
  if (client == nullptr) return;
  char common_name[100] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(client.get()), NID_commonName, common_name,
                            sizeof common_name);
  handshake->client = common_name;
}

}  // namespace

void TlsRelay::Serve(int fd) {
  TlsHandshake handshake;
  TlsRelayOptions options;
  {
    const std::lock_guard lock(mutex_);
    options = options_;
  }
  const Context context = MakeContext(options, &handshake);
  const Session ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), fd);
  // A client that never finishes must not hold the test up.
  const timeval patience{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  handshake.good = SSL_accept(ssl.get()) == 1;
  Note(ssl.get(), &handshake);
  {
    const std::lock_guard lock(mutex_);
    handshakes_.push_back(handshake);
  }
  const int backend = handshake.good ? ConnectTo(backend_) : -1;
  std::string buffer(kBufferBytes, '\0');
  while (backend >= 0) {
    bool tls_ready = SSL_pending(ssl.get()) > 0, backend_ready = false;
    if (!tls_ready && !Wait(fd, backend, &tls_ready, &backend_ready)) break;
    if (tls_ready) {
      const int size = SSL_read(ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (size <= 0) break;
      if (!SendAll(backend, std::string_view(buffer).substr(0, static_cast<size_t>(size)))) break;
    }
    if (backend_ready) {
      const ssize_t size = recv(backend, buffer.data(), buffer.size(), 0);
      if (size <= 0 || SSL_write(ssl.get(), buffer.data(), static_cast<int>(size)) <= 0) break;
    }
  }
  if (handshake.good) SSL_shutdown(ssl.get());
  if (backend >= 0) close(backend);
  ERR_clear_error();
}

ProxyRelay::ProxyRelay(uint16_t backend) : backend_(backend) { Run(); }
ProxyRelay::~ProxyRelay() { End(); }

std::vector<std::string> ProxyRelay::heads() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

void ProxyRelay::Refuse(std::string answer) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(answer);
}

void ProxyRelay::Serve(int fd) {
  std::string head;
  bool ready = false, none = false;
  while (head.find("\r\n\r\n") == std::string::npos) {
    if (!Wait(fd, -1, &ready, &none)) return;
    char byte = 0;
    if (recv(fd, &byte, 1, 0) <= 0) return;
    head += byte;
  }
  std::string refusal;
  {
    const std::lock_guard lock(mutex_);
    heads_.push_back(head);
    refusal = refusal_;
  }
  const bool tunnel = head.starts_with("CONNECT ");
  if (tunnel && !refusal.empty()) {
    SendAll(fd, refusal);
    return;
  }
  uint16_t port = backend_;
  if (tunnel) {
    const size_t end = head.find(' ', 8);
    port = static_cast<uint16_t>(std::stoul(head.substr(head.rfind(':', end) + 1)));
  }
  const int backend = ConnectTo(port);
  if (backend < 0) return;
  const bool begun = tunnel ? SendAll(fd, "HTTP/1.1 200 Connected\r\nX-Proxy: yes\r\n\r\n")
                            : SendAll(backend, head);
  if (begun) Copy(fd, backend);
  close(backend);
}

UnixRelay::UnixRelay(const std::string& path, uint16_t backend) : Relay(path), backend_(backend) {
  Run();
}
UnixRelay::~UnixRelay() { End(); }

void UnixRelay::Serve(int fd) {
  const int backend = ConnectTo(backend_);
  if (backend < 0) return;
  Copy(fd, backend);
  close(backend);
}

}  // namespace tributary
