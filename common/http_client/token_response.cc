#include "common/http_client/token_response.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <map>

#include <nlohmann/json.hpp>

#include "common/http/query.h"
#include "common/http/transport.h"
#include "common/http_client/secrets.h"

namespace tributary {

namespace {

using Fields = std::map<std::string, std::string>;

std::string MediaType(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  type.erase(std::remove_if(type.begin(), type.end(), [](char c) { return c == ' ' || c == '\t'; }),
             type.end());
  return type;
}

// Fields that are no text stay out, but for numbers. Nullopt: no JSON object, or a field of a kind
// that it must not be.
std::optional<Fields> ReadJson(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Fields fields;
  for (const char* name :
       {"access_token", "token_type", "expires_in", "error", "error_description"}) {
    const auto field = json.find(name);
    if (field == json.end() || field->is_null()) continue;
    const bool number = std::string_view(name) == "expires_in" && field->is_number_integer();
    if (!field->is_string() && !number) return std::nullopt;
    fields[name] = number ? field->dump() : field->get<std::string>();
  }
  return fields;
}

// The first of several of a name counts.
std::optional<Fields> ReadForm(std::string_view body) {
  Fields fields;
  while (!body.empty()) {
    const size_t end = std::min(body.find('&'), body.size());
    const std::string_view pair = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = UnescapeBytes(pair.substr(0, equals), true);
    const auto value = UnescapeBytes(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return std::nullopt;
    fields.emplace(*name, *value);
  }
  return fields;
}

std::string TypeOf(const std::string& type) {
  for (const char* known : {"Bearer", "MAC", "Basic"}) {
    if (SameHeaderName(type, known)) return known;
  }
  return type.empty() ? "Bearer" : type;
}

// Nullopt: no number. 0: never.
std::optional<int64_t> ExpiresIn(const Fields& fields) {
  const auto field = fields.find("expires_in");
  if (field == fields.end() || field->second.empty()) return 0;
  int64_t value = 0;
  const std::string& text = field->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::min<int64_t>(value, std::numeric_limits<int32_t>::max());
}

std::string Shown(const Fields& fields, const char* name) {
  const auto field = fields.find(name);
  if (field == fields.end() || field->second.empty()) return "";
  std::string text = field->second;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return " \"" + text + "\"";
}

}  // namespace

Result<AccessToken> ReadTokenResponse(int status, std::string_view content_type,
                                      const std::string& body) {
  const bool failed = status < 200 || status > 299;
  const std::string type = MediaType(content_type);
  const bool form = type == "application/x-www-form-urlencoded" || type == "text/plain";
  const std::optional<Fields> fields = form ? ReadForm(body) : ReadJson(body);
  const std::string answered = "the token server answered " + std::to_string(status);
  if (!fields) return Fail(failed ? answered : answered + " with what is no token response");
  if (const std::string error = Shown(*fields, "error"); !error.empty()) {
    return Fail(answered + ":" + error + Shown(*fields, "error_description"));
  }
  if (failed) return Fail(answered);
  const auto token = fields->find("access_token");
  if (token == fields->end() || token->second.empty())
    return Fail(answered + " without access_token");
  std::optional<int64_t> expires_in = ExpiresIn(*fields);
  // Of a form, Go takes what is no number for nothing.
  if (!expires_in && !form) return Fail(answered + " with an expires_in that is no whole number");
  AccessToken access;
  const auto token_type = fields->find("token_type");
  access.authorization =
      TypeOf(token_type == fields->end() ? "" : token_type->second) + " " + token->second;
  if (!IsHeaderValue(access.authorization)) {
    return Fail(answered + " with a token that no header can hold");
  }
  if (expires_in.value_or(0) != 0) access.expires_in = seconds(*expires_in);
  return access;
}

}  // namespace tributary
