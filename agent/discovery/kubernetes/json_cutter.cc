#include "agent/discovery/kubernetes/json_cutter.h"

#include <utility>

namespace tributary {
namespace {

constexpr std::string_view kItemsKey = "items";
// Longer keys are none that matter.
constexpr size_t kKeyBytesMax = 64;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

bool JsonCutter::OpensObject(char c) const {
  if (c != '{' || in_text_) return false;
  return where_ == Where::kDocuments ? depth_ == 0 : in_items_ && depth_ == 2;
}

// One byte outside of text.
void JsonCutter::Structure(char c) {
  switch (c) {
    case '"':
      in_text_ = true;
      text_.clear();
      break;
    case ':':
      if (depth_ == 1) key_ = text_;
      break;
    case '{':
    case '[':
      depth_++;
      if (c == '[' && depth_ == 2 && key_ == kItemsKey) in_items_ = true;
      break;
    case '}':
    case ']':
      depth_--;
      if (depth_ < 2) in_items_ = false;
      break;
    case ',':
      if (depth_ == 1) key_.clear();
      break;
    default:
      break;
  }
}

JsonCutter::Outcome JsonCutter::Feed(std::string_view bytes,
                                     const std::function<bool(std::string_view)>& object) {
  for (const char c : bytes) {
    if (OpensObject(c)) {
      inside_ = true;
      object_.clear();
    }
    const bool between = in_items_ && depth_ == 2 && !in_text_ && (c == ',' || IsSpace(c));
    if (inside_) {
      if (object_.size() == kObjectBytesMax) return Outcome::kTooLarge;
      object_ += c;
    } else if (!between) {
      if (rest_.size() == kRestBytesMax) return Outcome::kTooLarge;
      if (where_ == Where::kItems || !IsSpace(c)) rest_ += c;
    }
    if (in_text_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_text_ = false;
      } else if (depth_ == 1 && text_.size() < kKeyBytesMax) {
        text_ += c;
      }
      continue;
    }
    Structure(c);
    if (depth_ > kDepthMax) return Outcome::kTooLarge;
    const int outside = where_ == Where::kDocuments ? 0 : 2;
    if (inside_ && depth_ <= outside) {
      inside_ = false;
      if (!object(object_)) return Outcome::kStopped;
    }
  }
  return Outcome::kMore;
}

}  // namespace tributary
