#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/discovery/target_file.h"
#include "common/base/unicode.h"
#include "common/base/utf8.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kEscapeBytes = 6;  // "\u12ab"

// The number of an escape "\u12ab" at the beginning, or -1.
int EscapedUnit(std::string_view text) {
  if (text.size() < kEscapeBytes || !text.starts_with("\\u")) return -1;
  int unit = 0;
  for (const char c : text.substr(2, 4)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return -1;
    unit = unit * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}
bool IsHighHalf(int unit) { return (unit & ~0x3FF) == 0xD800; }
bool IsLowHalf(int unit) { return (unit & ~0x3FF) == 0xDC00; }

// Takes the escape at the beginning over; half of a surrogate pair becomes U+FFFD.
void MoveEscape(std::string_view& text, std::string& out) {
  const int unit = EscapedUnit(text);
  size_t bytes = unit < 0 ? std::min<size_t>(2, text.size()) : kEscapeBytes;
  if (IsHighHalf(unit) && IsLowHalf(EscapedUnit(text.substr(kEscapeBytes)))) {
    bytes = 2 * kEscapeBytes;
  } else if (IsHighHalf(unit) || IsLowHalf(unit)) {
    out += "\\ufffd";
    text.remove_prefix(bytes);
    return;
  }
  out += text.substr(0, bytes);
  text.remove_prefix(bytes);
}

// What Go's decoder forgives and nlohmann-json does not: what is no Unicode becomes U+FFFD.
std::string ForgiveUnicode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (text[0] == '\\') {
      MoveEscape(text, out);
      continue;
    }
    const auto [rune, width] = DecodeRune(text);
    AppendRune(rune, out);
    text.remove_prefix(width);
  }
  return out;
}

// Go matches the names of fields without regard to case.
bool IsField(std::string_view given, std::string_view name) {
  return given.size() == name.size() &&
         std::equal(given.begin(), given.end(), name.begin(), [](unsigned char a, char b) {
           return std::tolower(a) == static_cast<unsigned char>(b);
         });
}

std::string Wrong(const Json& value, const std::string& wanted) {
  return "found a JSON " + std::string(value.type_name()) + " where " + wanted + " belongs";
}

Result<std::string> ReadText(const Json& value, const std::string& what) {
  if (value.is_null()) return std::string();
  if (!value.is_string()) return Fail(Wrong(value, what));
  return value.get<std::string>();
}

Status ReadTargets(const Json& value, TargetGroup& group) {
  group.targets.clear();
  if (value.is_null()) return {};
  if (!value.is_array()) return Fail(Wrong(value, "a list of targets"));
  for (const Json& item : value) {
    Result<std::string> target = ReadText(item, "the text of a target");
    if (!target) return tl::unexpected(target.error());
    group.targets.push_back(std::move(*target));
  }
  return {};
}

Status ReadLabels(const Json& value, TargetGroup& group) {
  group.labels.clear();
  if (value.is_null()) return {};
  if (!value.is_object()) return Fail(Wrong(value, "a map of labels"));
  for (const auto& [name, item] : value.items()) {
    if (!IsValidLabelName(name, NameValidation::kUtf8)) {
      return Fail("\"" + name + "\" is not a valid label name");
    }
    Result<std::string> text = ReadText(item, "the text of label \"" + name + "\"");
    if (!text) return tl::unexpected(text.error());
    group.labels.Set(name, *text);
  }
  return {};
}

Result<TargetGroup> ReadGroup(const Json& value) {
  TargetGroup group;
  if (value.is_null()) return Fail("a group is null");
  if (!value.is_object()) return Fail(Wrong(value, "a target group"));
  for (const auto& [name, item] : value.items()) {
    Status read;
    if (IsField(name, "targets")) {
      read = ReadTargets(item, group);
    } else if (IsField(name, "labels")) {
      read = ReadLabels(item, group);
    } else {
      read = Fail("unknown field \"" + name + "\" (a group has targets and labels)");
    }
    if (!read) return tl::unexpected(read.error());
  }
  return group;
}

Result<std::vector<TargetGroup>> ReadGroups(const Json& root) {
  std::vector<TargetGroup> groups;
  if (root.is_null()) return groups;
  if (!root.is_array()) return Fail(Wrong(root, "a list of target groups"));
  for (const Json& value : root) {
    Result<TargetGroup> group = ReadGroup(value);
    if (!group) {
      return Fail("group " + std::to_string(groups.size()) + ": " + group.error().message);
    }
    groups.push_back(std::move(*group));
  }
  return groups;
}

}  // namespace

Result<std::vector<TargetGroup>> ParseTargetJson(std::string_view content) {
  // The other way round: nlohmann-json passes over it.
  if (content.starts_with(kByteOrderMark)) return Fail("begins with a byte order mark");
  try {
    const bool plain = IsValidUtf8(content) && content.find("\\u") == std::string_view::npos;
    return ReadGroups(plain ? Json::parse(content) : Json::parse(ForgiveUnicode(content)));
  } catch (const Json::exception& error) {
    return Fail(error.what());
  }
}

}  // namespace tributary
