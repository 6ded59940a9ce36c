// Answers of Kubernetes' API: cut the same whatever the pieces, and read without harm.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/discovery/kubernetes/json_cutter.h"
#include "agent/discovery/kubernetes/objects.h"

namespace tributary {
namespace {

struct Cut {
  std::vector<std::string> objects;
  std::string rest;
  JsonCutter::Outcome outcome = JsonCutter::Outcome::kMore;
  bool operator==(const Cut&) const = default;
};

Cut CutText(JsonCutter::Where where, std::string_view text, size_t piece) {
  Cut cut;
  JsonCutter cutter(where);
  for (size_t at = 0; at < text.size() && cut.outcome == JsonCutter::Outcome::kMore; at += piece) {
    cut.outcome = cutter.Feed(text.substr(at, piece), [&](std::string_view object) {
      cut.objects.emplace_back(object);
      return true;
    });
  }
  cut.rest = cutter.rest();
  return cut;
}

}  // namespace
}  // namespace tributary

// The first byte says what the rest is read as.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tributary;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto resource = static_cast<KubeResource>(data[0] % 9);
  const bool list = (data[0] & 0x80) == 0;
  const auto where = list ? JsonCutter::Where::kItems : JsonCutter::Where::kDocuments;
  const Cut whole = CutText(where, text, size);
  if (CutText(where, text, 1 + data[0] % 7) != whole) std::abort();
  for (const std::string& object : whole.objects) {
    if (!list) {
      static_cast<void>(ReadKubeEvent(resource, object));
    } else if (const auto read = ReadKubeObject(resource, object)) {
      if (read->object.meta.name.empty()) std::abort();
    }
  }
  static_cast<void>(ReadKubeListEnd(whole.rest));
  static_cast<void>(ReadKubeMessage(text));
  return 0;
}
