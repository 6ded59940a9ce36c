// A client that keeps its connection, for tests: requests of remote write to 127.0.0.1, one after
// the other. Blocks; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "test/support/http_client.h"

namespace tributary {

class WriteSender {
 public:
  explicit WriteSender(uint16_t port);
  ~WriteSender();
  WriteSender(WriteSender&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  WriteSender& operator=(WriteSender&&) = delete;

  bool connected() const { return fd_ >= 0; }
  // The bytes as they are; whether they could be sent.
  bool SendBytes(std::string_view bytes) const;
  // The next answer; status 0: none came in time, or the connection has ended.
  HttpReply Receive(nanoseconds timeout = seconds(10));
  // POST /api/v1/write with a body, and its answer. `headers` are whole lines without their ends.
  HttpReply Post(std::string_view body, const std::vector<std::string>& headers = {},
                 nanoseconds timeout = seconds(10));
  // The same, without waiting for the answer.
  bool SendPost(std::string_view body, const std::vector<std::string>& headers = {}) const;
  // Whether the other side closes the connection in time.
  bool Ends(nanoseconds timeout = seconds(10));

 private:
  // Appends what comes next to `in_`; false: nothing in time, or the end.
  bool ReadMore(std::chrono::steady_clock::time_point deadline);

  int fd_ = -1;
  std::string in_;
};

}  // namespace tributary
