// The options of what others may send.
#include "common/config/checks.h"

namespace tributary {
namespace {

// What is read is addressed by 32 bits.
constexpr uint64_t kBodySizeMax = uint64_t{1} << 30;

}  // namespace

void CheckReceive(SectionValue& section, CheckContext& context) {
  const Value& size = section.Get("body_size_limit");
  if (size.valid && (size.number == 0 || size.number > kBodySizeMax)) {
    context.Error(size, section, "'body_size_limit' has to be above 0 and at most 1GB");
  }
  const Value& samples = section.Get("sample_limit");
  if (samples.valid && samples.number == 0) {
    context.Error(samples, section, "'sample_limit' has to be above 0");
  }
  const Value& replica = section.Get("replica_label");
  if (replica.text.empty()) return;
  if (section.Text("cluster_label").empty()) {
    context.Error(section.Get("cluster_label"), section,
                  "'cluster_label' is empty, but 'replica_label' is not");
  } else if (replica.text == section.Text("cluster_label")) {
    context.Error(replica, section, "'replica_label' and 'cluster_label' are the same");
  }
}

}  // namespace tributary
