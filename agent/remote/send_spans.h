// The spans of one attempt to send, named as in prometheus storage/remote: "Remote Send Batch" or
// "Remote Metadata Send Batch", in it "Remote Store", in it the HTTP request. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/series/samples.h"
#include "agent/tracing/request_spans.h"
#include "agent/tracing/tracer.h"
#include "common/config/model.h"

namespace tributary {

// What a request has in it, for its trace: samples or metadata.
struct SendContents {
  SampleCounts samples;
  uint64_t metadata = 0;
};

class SendSpans {
 public:
  struct Attempt {
    SendContents contents;
    size_t bytes = 0;
    int number = 0;  // counts from 0
  };

  // Null where nothing is traced.
  static std::unique_ptr<SendSpans> Begin(Tracer* tracer, const RemoteWriteConfig& remote,
                                          const Attempt& attempt) {
    if (tracer == nullptr || !tracer->on()) return nullptr;
    return std::make_unique<SendSpans>(*tracer, remote, attempt);
  }
  SendSpans(Tracer& tracer, const RemoteWriteConfig& remote, const Attempt& attempt);

  RequestWatcher* watcher() { return &request_; }
  // Empty: it was delivered.
  void End(const std::string& error);

 private:
  Tracer& tracer_;
  Span batch_;
  Span store_;
  RequestSpans request_;
};

}  // namespace tributary
