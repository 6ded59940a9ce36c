#include "agent/layout/page_reader.h"

namespace tributary {

void PageReader::SetFormat(PageFormat format) {
  intake_.SetFormat(static_cast<uint8_t>(format));
  switch (format) {
    case PageFormat::kPrometheusText:
      format_.emplace<0>(intake_, mode_);
      break;
    case PageFormat::kOpenMetrics:
      format_.emplace<1>(intake_, mode_);
      break;
    case PageFormat::kProtobuf:
      format_.emplace<2>(intake_, mode_);
      break;
  }
}

void PageReader::Push(std::string_view bytes) {
  std::visit([bytes](auto& reader) { reader.Push(bytes); }, format_);
}

Status PageReader::FinishPage() {
  std::visit([](auto& reader) { reader.Finish(); }, format_);
  return intake_.FinishPage();
}

}  // namespace tributary
