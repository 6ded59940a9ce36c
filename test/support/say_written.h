// What a receiver of remote write 2.0 adds to an answer of 2xx: how much it has written.
#pragma once

#include <algorithm>
#include <string>

#include "test/support/scripted_reply.h"
#include "test/support/write_request.h"

namespace tributary {

// All of the request, unless the answer says something of it already. Nothing to one of 1.0.
inline void SayWritten(const DecodedRequest& request, ScriptedReply& reply) {
  if (!request.is_v2 || reply.status / 100 != 2 || !reply.raw.empty()) return;
  const bool said =
      std::any_of(reply.headers.begin(), reply.headers.end(),
                  [](const HttpHeader& header) { return header.name.ends_with("-Written"); });
  if (said) return;
  auto say = [&](const char* kind, size_t count) {
    reply.headers.push_back(
        {std::string("X-Prometheus-Remote-Write-") + kind + "-Written", std::to_string(count)});
  };
  say("Samples", request.samples.size());
  say("Histograms", request.histograms.size());
  say("Exemplars", request.exemplars.size());
}

}  // namespace tributary
