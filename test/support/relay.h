// Servers of 127.0.0.1 that stand in front of others: one that takes TLS off, and an HTTP proxy.
// Each connection has a thread; methods are thread-safe. For integration tests.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/support/test_ca.h"

namespace tributary {

class Relay {
 public:
  virtual ~Relay() = default;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint16_t port() const { return port_; }
  size_t connections() const { return connections_.load(); }

 protected:
  // Not empty: a Unix socket instead of a port.
  explicit Relay(const std::string& unix_path = "");
  // To be called by constructors and destructors of what derives.
  void Run();
  void End();
  // Owns no descriptor.
  virtual void Serve(int fd) = 0;
  // Whether one of the two can be read, or else has ended; false at the end of the relay.
  bool Wait(int a, int b, bool* a_ready, bool* b_ready) const;
  // Both ways until one side ends.
  void Copy(int a, int b) const;

 private:
  int listener_ = -1;
  int stop_event_ = -1;
  uint16_t port_ = 0;
  std::atomic<size_t> connections_{0};
  std::thread acceptor_;
  std::list<std::thread> threads_;  // the acceptor's
};

struct TlsRelayOptions {
  TestCertificate certificate;
  std::string client_ca;                 // not empty: demands a certificate of it
  int version_min = 0, version_max = 0;  // OpenSSL's numbers
};

struct TlsHandshake {
  bool good = false;
  std::string server_name;  // asked for
  std::string protocols;    // offered by ALPN, separated by commas
  std::string client;       // common name of the client's certificate
  bool resumed = false;
};

// Takes TLS off and passes on to a port.
class TlsRelay : public Relay {
 public:
  TlsRelay(uint16_t backend, TlsRelayOptions options);
  ~TlsRelay() override;
  // Of connections from now on.
  void Replace(TestCertificate certificate);
  std::vector<TlsHandshake> handshakes() const;

 private:
  void Serve(int fd) override;

  const uint16_t backend_;
  mutable std::mutex mutex_;
  TlsRelayOptions options_;
  std::vector<TlsHandshake> handshakes_;
};

// Passes CONNECT on to the port that it names, whatever its host; all else goes to `backend` as it
// is.
class ProxyRelay : public Relay {
 public:
  explicit ProxyRelay(uint16_t backend);
  ~ProxyRelay() override;
  // Heads of the first request of each connection.
  std::vector<std::string> heads() const;
  // Answers CONNECT with this instead.
  void Refuse(std::string answer);

 private:
  void Serve(int fd) override;

  const uint16_t backend_;
  mutable std::mutex mutex_;
  std::string refusal_;
  std::vector<std::string> heads_;
};

// A Unix socket in front of a port.
class UnixRelay : public Relay {
 public:
  UnixRelay(const std::string& path, uint16_t backend);
  ~UnixRelay() override;

 private:
  void Serve(int fd) override;

  const uint16_t backend_;
};

}  // namespace tributary
