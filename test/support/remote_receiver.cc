#include "test/support/remote_receiver.h"

#include <algorithm>
#include <utility>

#include "test/support/process.h"
#include "test/support/say_written.h"

namespace tributary {

RemoteReceiver::RemoteReceiver(uint16_t port) {
  Answer(200);
  server_ = std::make_unique<RawServer>(
      [this](const ServedRequest& request) { return Serve(request); }, port);
}

void RemoteReceiver::Answer(ReplyScript script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

ScriptedReply RemoteReceiver::Serve(const ServedRequest& request) {
  Received received{DecodeWriteRequest(request.body, request.Header("Content-Type")), request, 0};
  const std::lock_guard lock(mutex_);
  ScriptedReply reply = script_(request);
  const bool answered = reply.end == ScriptedReply::End::kComplete || reply.head_sent;
  if (answered && reply.raw.empty()) received.status = reply.status;
  SayWritten(received.decoded, reply);
  received_.push_back(std::move(received));
  return reply;
}

size_t RemoteReceiver::requests() const {
  const std::lock_guard lock(mutex_);
  return received_.size();
}

std::vector<RemoteReceiver::Received> RemoteReceiver::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::vector<DecodedSample> RemoteReceiver::accepted() const { return AcceptedOf({}); }

std::vector<DecodedSample> RemoteReceiver::AcceptedOf(const Labels& labels) const {
  const std::lock_guard lock(mutex_);
  std::vector<DecodedSample> samples;
  for (const Received& request : received_) {
    if (request.status / 100 != 2) continue;
    for (const DecodedSample& sample : request.decoded.samples) {
      const bool matches = std::all_of(labels.begin(), labels.end(), [&](const Label& label) {
        return sample.labels.Get(label.name) == label.value;
      });
      if (matches) samples.push_back(sample);
    }
  }
  return samples;
}

bool RemoteReceiver::WaitForSample(const Labels& labels, nanoseconds timeout) const {
  return Eventually(timeout, [&] { return !AcceptedOf(labels).empty(); });
}

std::string RemoteReceiver::error() const {
  const std::lock_guard lock(mutex_);
  for (const Received& request : received_) {
    if (!request.decoded.error.empty()) return request.decoded.error;
  }
  return "";
}

}  // namespace tributary
