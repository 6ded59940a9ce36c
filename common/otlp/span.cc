#include "common/otlp/span.h"

namespace tributary {

std::string ClipSpanText(std::string text) {
  if (text.size() <= kSpanTextBytesMax) return text;
  size_t end = kSpanTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) end--;
  text.resize(end);
  text.shrink_to_fit();
  return text;
}

}  // namespace tributary
