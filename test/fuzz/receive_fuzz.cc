// What others may send by remote write. The first byte chooses:
//
//   bit 0  version 1.0 or 2.0
//   bit 1  the rest is the body as it comes, else the request that is compressed for it
//   bit 2  limits are small
//
// Any bytes are answered; what was taken is in the log, no more and no less; and where libprotobuf
// and our reader both take a request they read the same.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "test/support/write_request_text.h"
#include "test/unit/agent/receive/receive_rig.h"

namespace {

using namespace tributary;

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto version = (choice & 1) != 0 ? WriteVersion::kV2 : WriteVersion::kV1;
  const bool is_body = (choice & 2) != 0;

  if (!is_body) {
    const auto fast = FastWriteRequestText(version, bytes);
    const auto slow = SlowWriteRequestText(version, bytes);
    Check(!fast || !slow || *fast == *slow, "fast and slow differ");
  }
  SimLoop loop;
  ReceiveRig rig(loop);
  if ((choice & 4) != 0) {
    rig.config.receive.sample_limit = 3;
    rig.config.receive.label_limit = 2;
    rig.config.receive.label_value_length_limit = 4;
    rig.Apply();
  }
  IncomingWrite request = is_body ? IncomingWrite{"", "", bytes} : RequestOf(bytes);
  if (version == WriteVersion::kV2) {
    request.content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
  }
  SampleCounts written;
  for (int i = 0; i < 2; i++) {
    const WriteAnswer answer = rig.Send(request);
    Check(answer.status == 204 || answer.status == 400 || answer.status == 413, "another answer");
    if (i == 0) written = answer.written;
  }
  const SampleCounts& taken = rig.receiver.stats().taken;
  Check(taken == rig.log.stats().appended, "taken and appended differ");
  Check(Within(taken, written + written), "more was taken than was said");
  SampleCounts logged;
  for (const auto& record : rig.TakeRecords()) logged += record->counts();
  Check(logged == taken, "taken and logged differ");
  return 0;
}
