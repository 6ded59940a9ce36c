#include "agent/federate/federate_page.h"

#include <utility>

namespace tributary {

namespace {

constexpr size_t kPieceBytes = 64 << 10;

}  // namespace

FederatePage::FederatePage(FederateSource source, std::vector<SeriesSelector> selectors,
                           FederateForm form, bool gzip)
    : sorter_(std::move(source.groups), std::move(selectors),
              {.now = source.now, .look_back_ms = source.look_back_ms}),
      writer_(form, std::move(source.external_labels)),
      gzip_(gzip ? std::make_unique<GzipStream>() : nullptr) {}

bool FederatePage::Next(std::string& piece) {
  piece.clear();
  std::string& out = gzip_ != nullptr ? plain_ : piece;
  while (!ended_ && piece.size() < kPieceBytes) {
    out.clear();
    while (!ended_ && out.size() < kPieceBytes) {
      if (in_batch_ == batch_.size()) {
        batch_ = sorter_.Next();
        in_batch_ = 0;
        ended_ = batch_.empty();
        if (ended_) writer_.Finish(out);
        continue;
      }
      writer_.Write(batch_[in_batch_++], out);
      series_written_++;
    }
    if (gzip_ == nullptr) break;
    gzip_->Push(out, piece);
    if (ended_) gzip_->Finish(piece);
  }
  return !piece.empty();
}

}  // namespace tributary
