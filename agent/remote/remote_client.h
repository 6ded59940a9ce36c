// One attempt to deliver a request to a remote_write endpoint, and what came of it.
// Source: Remote-Write 1.0 and 2.0 specifications; prometheus storage/remote/client.go.
//
// One thread (the loop's). A client may have many attempts under way.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/remote/send_spans.h"
#include "agent/remote/written_stats.h"
#include "common/aws/sigv4_signer.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/file/file_system.h"
#include "common/http/transport.h"
#include "common/http_client/http_client.h"

namespace tributary {

// The kinds of outcome that a sender acts on.
struct SendOutcome {
  enum class Kind : uint8_t {
    kDelivered,  // 2xx, whatever became of its body
    kRetry,  // may succeed later: network, credentials, endless redirects, 5xx, 429 if configured
    kRejected,  // will not: other statuses
  };
  // What the status says is wrong, for those who tell errors apart.
  enum class Blames : uint8_t {
    kNothing,      // it is another status, or none came
    kCredentials,  // 401, 403
    kContent,      // 400
    kSize,         // 413
    kProtocol,     // 415
    kAmount,       // 429
  };
  Kind kind = Kind::kDelivered;
  Blames blames = Blames::kNothing;
  int status = 0;  // of the response, 0 if none came
  std::optional<nanoseconds> retry_after;
  WrittenStats written;  // of any answer
  std::string message;   // for people: the receiver's words, or what failed; without secrets
};

// Seconds or an HTTP date (RFC 9110, 10.2.3); nullopt for anything else and for times that are past
// or now.
std::optional<nanoseconds> ParseRetryAfter(std::string_view value, TimestampMs now);

// What became of the signing of requests (`sigv4`).
struct SigningStats {
  uint64_t credential_failures = 0;  // fetches of credentials that failed
  uint64_t clock_corrections = 0;    // answers which showed that the clock is wrong
};

class RemoteClient {
 public:
  using Done = std::function<void(SendOutcome)>;

  RemoteClient(EventLoop& loop, HttpTransport& transport, FileSystem& files,
               std::shared_ptr<const RemoteWriteConfig> config, Tracer* tracer = nullptr);
  ~RemoteClient();  // cancels what is under way
  RemoteClient(const RemoteClient&) = delete;
  RemoteClient& operator=(const RemoteClient&) = delete;

  // Posts a compressed request of the version that the config says. `attempt` counts from 0. `done`
  // runs later on the loop, once; not after Cancel or the client's end. `contents`: what traces say
  // of the request.
  uint64_t Send(std::shared_ptr<const std::string> body, int attempt, Done done,
                const SendContents& contents = {});
  void Cancel(uint64_t send);
  // Nullopt: nothing is signed.
  std::optional<SigningStats> signing_stats() const;

 private:
  class Exchange;
  SendOutcome Classify(const HttpOutcome& outcome, const std::string& body,
                       const std::string& retry_after) const;
  void Finish(uint64_t send, SendOutcome outcome);

  EventLoop& loop_;
  FileSystem& files_;
  std::shared_ptr<const RemoteWriteConfig> config_;
  Tracer* const tracer_;                 // null: nothing is traced
  const Sigv4Signer* signer_ = nullptr;  // the HTTP client's; null: nothing is signed
  std::unique_ptr<HttpClient> http_;
  std::map<uint64_t, std::unique_ptr<Exchange>> exchanges_;
  uint64_t last_send_ = 0;
};

}  // namespace tributary
