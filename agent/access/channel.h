// The bytes of one accepted connection: plain as here, or through TLS (server_tls.h).
//
// Never blocks. Belongs to one thread at a time, which has SIGPIPE blocked or ignored; closes the
// socket at its end, after what has come by then was taken, so that no answer is lost to a reset.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace tributary {

class Channel {
 public:
  // Instead of a count of bytes.
  static constexpr ssize_t kFailed = -1, kWait = -2;

  explicit Channel(int fd) : fd_(fd) {}  // does not block
  virtual ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return fd_; }
  // Bytes, 0 at the end, or one of the above.
  virtual ssize_t Read(char* data, size_t size);
  virtual ssize_t Write(const char* data, size_t size);
  // Whether bytes can be read though the socket has none.
  virtual bool has_bytes() const { return false; }
  // After kWait: what to wait for, in the terms of poll.
  short awaited() const { return awaited_; }
  // Failed by what TLS demands.
  bool tls_failed() const { return tls_failed_; }

 protected:
  short awaited_ = 1;  // POLLIN
  bool tls_failed_ = false;

 private:
  const int fd_;
};

}  // namespace tributary
