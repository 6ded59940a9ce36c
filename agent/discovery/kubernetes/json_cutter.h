// Cuts a stream of JSON into the objects that are looked at one by one, so that neither a list nor
// a watch of Kubernetes' API is ever held whole.
//
// It only counts brackets: whether an object is good JSON is for its reader to say. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace tributary {

class JsonCutter {
 public:
  enum class Where {
    kItems,      // {..., "items": [{...}, {...}], ...}: the elements; what is around them is rest()
    kDocuments,  // {...} {...}: all objects of the stream
  };
  enum class Outcome {
    kMore,
    kTooLarge,  // an object, or what is around them, is over a bound
    kStopped,   // `object` returned false
  };

  // Of one object, and of the rest.
  static constexpr size_t kObjectBytesMax = 8 << 20;
  static constexpr size_t kRestBytesMax = 256 << 10;
  static constexpr int kDepthMax = 200;  // of brackets, which are few bytes and take much memory

  explicit JsonCutter(Where where) : where_(where) {}

  // Calls `object` with each object as its last byte arrives; the text is valid during the call.
  // After anything but kMore nothing may be fed any more.
  Outcome Feed(std::string_view bytes, const std::function<bool(std::string_view)>& object);

  // All but the objects and the commas between them.
  const std::string& rest() const { return rest_; }
  // In the middle of an object.
  bool inside() const { return inside_; }

 private:
  void Structure(char c);
  bool OpensObject(char c) const;

  const Where where_;
  int depth_ = 0;
  bool in_text_ = false;
  bool escaped_ = false;
  bool inside_ = false;
  bool in_items_ = false;  // at depth 2, between the elements
  std::string text_;       // the last string at depth 1, which may be a key
  std::string key_;
  std::string object_;
  std::string rest_;
};

}  // namespace tributary
