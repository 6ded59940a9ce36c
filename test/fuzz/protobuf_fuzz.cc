// The protobuf page reader: any bytes give the same whole and in pieces; and what its slow twin on
// libprotobuf gives, wherever that has something to say. The first byte chooses rules and pieces.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "test/support/protobuf_page_text.h"
#include "test/support/slow_protobuf_page.h"

namespace {

void Differ(const char* what, const tributary::ProtobufPageText& a,
            const tributary::ProtobufPageText& b) {
  std::fprintf(stderr, "%s\n%s\nand\n%s\n", what, ToString(a).c_str(), ToString(b).c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tributary;
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const std::string_view page(reinterpret_cast<const char*>(data + 1), size - 1);
  const ProtobufHistogramRules rules{(choice & 1) != 0, (choice & 2) != 0, (choice & 4) != 0};

  const ProtobufPageText whole = FastProtobufPage(page, rules);
  const size_t piece = size_t{1} + (choice >> 3);
  const ProtobufPageText pieces = FastProtobufPage(page, rules, [=] { return piece; });
  if (!(whole == pieces)) Differ("whole and in pieces differ", whole, pieces);

  const SlowProtobufPage slow = ReadProtobufPageSlowly(page, rules);
  if (!slow.odd && !(whole == slow.text)) Differ("fast and slow differ", whole, slow.text);

  // In libprotobuf's order each page that it takes must be taken, as the slow twin does.
  const std::optional<std::string> rewritten = RewriteProtobufPage(page);
  if (!rewritten) return 0;
  const SlowProtobufPage slow_again = ReadProtobufPageSlowly(*rewritten, rules);
  const ProtobufPageText again = FastProtobufPage(*rewritten, rules);
  if (!slow_again.odd && !(again == slow_again.text)) {
    Differ("rewritten, fast and slow differ", again, slow_again.text);
  }
  return 0;
}
