#include "common/exposition/line_scanner.h"

#include <algorithm>

#include "common/exposition/series_labels.h"

namespace tributary {

std::string LineScanner::Describe() const {
  constexpr ptrdiff_t kBefore = 120;
  constexpr ptrdiff_t kAfter = 20;
  const char* from = p_ - std::min(kBefore, p_ - begin_);
  const char* to = p_ + std::min(kAfter, end_ - p_);
  std::string message = std::string(problem_) + " at byte " + std::to_string(p_ - begin_ + 1);
  message += AtEnd() ? ", got the end of the line: " : ", got '" + Printable({p_, 1}) + "': ";
  return message + Printable(View(from, p_)) + " >>>" + Printable(View(p_, to));
}

}  // namespace tributary
