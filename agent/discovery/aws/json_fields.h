// Reads what AWS' APIs answer, field by field: what is missing or of another type is empty.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/status.h"

namespace tributary {

inline const nlohmann::json* FieldOf(const nlohmann::json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

inline std::string TextOf(const nlohmann::json& object, std::string_view name) {
  const nlohmann::json* field = FieldOf(object, name);
  return field != nullptr && field->is_string() ? field->get<std::string>() : "";
}

inline std::optional<double> NumberOf(const nlohmann::json& object, std::string_view name) {
  const nlohmann::json* field = FieldOf(object, name);
  if (field == nullptr || !field->is_number()) return std::nullopt;
  return field->get<double>();
}

// The fields of an object that are texts.
inline std::map<std::string, std::string> ReadTexts(const nlohmann::json& object) {
  std::map<std::string, std::string> texts;
  if (!object.is_object()) return texts;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) texts[name] = value.get<std::string>();
  }
  return texts;
}

template <typename Take>
void ForEach(const nlohmann::json& object, std::string_view list, const Take& take) {
  const nlohmann::json* field = FieldOf(object, list);
  if (field == nullptr || !field->is_array()) return;
  for (const nlohmann::json& item : *field) take(item);
}

inline Result<nlohmann::json> ReadObject(const std::string& text) {
  nlohmann::json root = nlohmann::json::parse(text, nullptr, false);
  if (!root.is_object()) return Fail("answered with what is no JSON object");
  return root;
}

}  // namespace tributary
