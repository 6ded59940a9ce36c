// The answer to an export of spans: ExportTraceServiceResponse of OTLP. Pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tributary {

// What a receiver that took the request says of spans that it did not take.
struct TracePartialSuccess {
  int64_t rejected_spans = 0;
  std::string message;
};

// Nullopt: not such a message. All zero and empty: everything was taken.
std::optional<TracePartialSuccess> ParseTraceResponse(std::string_view bytes);

}  // namespace tributary
