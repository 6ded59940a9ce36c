#include "common/aws/credentials.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/aws/xml.h"
#include "common/http/transport.h"
#include "common/http_client/secrets.h"

namespace tributary {

namespace {

constexpr size_t kMessageBytesMax = 500;

std::string Answered(int status, const std::string& code, std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; },
      ' ');
  std::string text = "answered " + std::to_string(status);
  if (!code.empty()) text += ": " + code;
  if (!message.empty()) text += (code.empty() ? ": " : ", ") + message;
  if (text.size() > kMessageBytesMax) text.resize(kMessageBytesMax);
  return text;
}

std::string TextOf(const nlohmann::json& json, const char* name) {
  const auto field = json.find(name);
  return field != json.end() && field->is_string() ? field->get<std::string>() : "";
}

Result<AwsCredentials> Checked(int status, AwsCredentials credentials, const std::string& expires) {
  if (!credentials.has_keys()) return Fail(Answered(status, "", "without keys"));
  for (const std::string* text : {&credentials.access_key_id, &credentials.session_token}) {
    if (!IsHeaderValue(*text)) return Fail(Answered(status, "", "with keys no header can hold"));
  }
  if (expires.empty()) return credentials;
  credentials.expires = ParseAwsTime(expires);
  if (!credentials.expires) return Fail(Answered(status, "", "with an Expiration that is no time"));
  return credentials;
}

std::optional<int> Digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc() && end == text.data() + text.size() && value >= 0;
  return good ? std::optional<int>(value) : std::nullopt;
}

// Of "Z" or "+hh:mm".
std::optional<seconds> ParseZone(std::string_view zone) {
  if (zone == "Z") return seconds(0);
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const auto hours = Digits(zone.substr(1, 2)), minutes = Digits(zone.substr(4));
  if (!hours || !minutes) return std::nullopt;
  const seconds offset((*hours * 60 + *minutes) * 60);
  return zone[0] == '-' ? -offset : offset;
}

}  // namespace

std::optional<TimestampMs> ParseAwsTime(const std::string& text) {
  struct tm date {};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &date);
  if (rest == nullptr) return std::nullopt;
  std::string_view zone(rest);
  TimestampMs ms = 0;
  if (zone.starts_with('.')) {
    zone.remove_prefix(1);
    for (TimestampMs unit = 100; !zone.empty() && std::isdigit(zone[0]) != 0; unit /= 10) {
      ms += unit * (zone[0] - '0');
      zone.remove_prefix(1);
    }
  }
  const std::optional<seconds> offset = ParseZone(zone);
  if (!offset) return std::nullopt;
  return (static_cast<TimestampMs>(timegm(&date)) - offset->count()) * 1000 + ms;
}

Result<AwsCredentials> ReadMetadataCredentials(int status, const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) {
    return Fail(Answered(status, "", status == 200 ? "with what is no JSON object" : ""));
  }
  std::string code = TextOf(json, "Code"), message = TextOf(json, "Message");
  if (code.empty()) code = TextOf(json, "code");
  if (message.empty()) message = TextOf(json, "message");
  if (status != 200 || (!code.empty() && !SameHeaderName(code, "Success"))) {
    return Fail(Answered(status, code, message));
  }
  AwsCredentials credentials;
  credentials.access_key_id = TextOf(json, "AccessKeyId");
  credentials.secret_access_key = TextOf(json, "SecretAccessKey");
  credentials.session_token = TextOf(json, "Token");
  return Checked(status, std::move(credentials), TextOf(json, "Expiration"));
}

Result<AwsCredentials> ReadStsCredentials(int status, const std::string& body) {
  const Result<XmlElement> root = ParseXml(body);
  if (!root) return Fail(Answered(status, "", status == 200 ? root.error().message : ""));
  if (const XmlElement* error = root->Find("Error"); status != 200 || error != nullptr) {
    return Fail(error == nullptr ? Answered(status, "", "")
                                 : Answered(status, error->Text("Code"), error->Text("Message")));
  }
  const XmlElement* found = nullptr;
  for (const XmlElement& result : root->children) {
    if (found == nullptr) found = result.Find("Credentials");
  }
  if (found == nullptr) return Fail(Answered(status, "", "without Credentials"));
  AwsCredentials credentials;
  credentials.access_key_id = found->Text("AccessKeyId");
  credentials.secret_access_key = found->Text("SecretAccessKey");
  credentials.session_token = found->Text("SessionToken");
  return Checked(status, std::move(credentials), found->Text("Expiration"));
}

}  // namespace tributary
