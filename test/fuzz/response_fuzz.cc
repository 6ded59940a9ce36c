// Whatever a server sends for a response: in one piece and in small ones it is read alike, within
// its bounds. The first byte chooses the pieces' size.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/http/response_reader.h"

namespace {

struct Handler : tributary::HttpHandler {
  void OnHead(const tributary::HttpResponseHead& head) override {
    if (heads++ > 0 || head.status < 200 || head.status > 999) std::abort();
  }
  bool OnBody(std::string_view bytes) override {
    if (heads != 1 || bytes.empty()) std::abort();
    body += bytes;
    return true;
  }
  void OnDone(const tributary::HttpOutcome&) override {}
  int heads = 0;
  std::string body;
};

struct Outcome {
  tributary::ResponseReader::Progress progress{};
  std::string body;
  size_t left = 0;  // behind the response
  size_t trailers = 0;
  bool keeps_alive = false;

  bool operator==(const Outcome&) const = default;
};

Outcome Read(std::string_view bytes, size_t piece) {
  Handler handler;
  tributary::ResponseReader reader;
  Outcome outcome;
  while (!bytes.empty() && outcome.progress == tributary::ResponseReader::Progress::kNeedsMore) {
    std::string_view some = bytes.substr(0, piece);
    bytes.remove_prefix(some.size());
    outcome.progress = reader.Read(some, handler);
    outcome.left = some.size() + bytes.size();
  }
  if (outcome.progress == tributary::ResponseReader::Progress::kNeedsMore) {
    outcome.progress = reader.End();
  }
  // How far it came before the error depends on the pieces.
  if (outcome.progress == tributary::ResponseReader::Progress::kBad) {
    Outcome bad;
    bad.progress = outcome.progress;
    return bad;
  }
  outcome.body = std::move(handler.body);
  outcome.trailers = reader.trailers().size();
  outcome.keeps_alive = reader.keeps_alive();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (!(Read(bytes, size) == Read(bytes, 1 + data[0]))) std::abort();
  return 0;
}
