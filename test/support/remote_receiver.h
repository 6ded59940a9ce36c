// A remote write receiver over real sockets on 127.0.0.1: decodes what it is sent, answers as told.
//
// To requests of remote write 2.0 it says that all of them was written, unless the answer says
// otherwise.
//
// Thread-safe. A request counts as received once it has arrived whole; its samples are accepted if
// it is answered with 2xx.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "test/support/raw_server.h"
#include "test/support/write_request.h"

namespace tributary {

class RemoteReceiver {
 public:
  struct Received {
    DecodedRequest decoded;
    ServedRequest served;
    int status = 0;  // of the answer; 0 if none was meant
  };

  // 200 to everything, on any free port or on one that was free.
  explicit RemoteReceiver(uint16_t port = 0);

  uint16_t port() const { return server_->port(); }
  std::string Url() const { return server_->Url() + "/api/v1/write"; }
  // Answers so from now on.
  void Answer(ReplyScript script);
  void Answer(int status) {
    Answer([status](const ServedRequest&) { return ScriptedReply::Text(status, ""); });
  }

  size_t requests() const;
  std::vector<Received> received() const;
  // In the order of arrival.
  std::vector<DecodedSample> accepted() const;
  // Values of the accepted samples with these labels among theirs, in the order of arrival.
  std::vector<DecodedSample> AcceptedOf(const Labels& labels) const;
  bool WaitForSample(const Labels& labels, nanoseconds timeout) const;
  // Why a request could not be decoded; "" if all could.
  std::string error() const;

 private:
  ScriptedReply Serve(const ServedRequest& request);

  mutable std::mutex mutex_;
  ReplyScript script_;
  std::vector<Received> received_;
  std::unique_ptr<RawServer> server_;  // last: its threads use the rest
};

}  // namespace tributary
