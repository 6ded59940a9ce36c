#include "agent/federate/federate_form.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/base/trim.h"
#include "common/base/unicode.h"

namespace tributary {
namespace {

// More than any client sends; sorting them costs the square.
constexpr size_t kClausesMax = 64;

struct Clause {
  std::string_view type, subtype;
  double quality = 1;
  std::map<std::string_view, std::string_view> parameters;

  std::string_view Parameter(std::string_view name) const {
    auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : found->second;
  }
};

std::string_view TrimSpaces(std::string_view text) { return Trim(text, " "); }

// Up to the separator, which is taken too.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// What cannot be read is 0.
double ParseQuality(std::string_view text) {
  double quality = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), quality);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? quality : 0;
}

void TakeParameters(std::string_view text, Clause& clause) {
  while (!text.empty()) {
    std::string_view value = TakeUntil(text, ';');
    const std::string_view name = TrimSpaces(TakeUntil(value, '='));
    if (value.empty() || value.find('=') != std::string_view::npos) continue;
    if (name == "q") {
      clause.quality = ParseQuality(value);
    } else {
      clause.parameters[name] = TrimSpaces(value);
    }
  }
}

bool GoesBefore(const Clause& a, const Clause& b) {
  return a.quality > b.quality || (a.type != "*" && b.type == "*") ||
         (a.subtype != "*" && b.subtype == "*");
}

// The comparison is no order, so what comes of it depends on how one sorts: by insertion, as Go
// does with the dozen that there are at most.
void Sort(std::vector<Clause>& clauses) {
  for (size_t i = 1; i < clauses.size(); i++) {
    for (size_t j = i; j > 0 && GoesBefore(clauses[j], clauses[j - 1]); j--) {
      std::swap(clauses[j], clauses[j - 1]);
    }
  }
}

std::vector<Clause> ParseAccept(std::string_view accept) {
  std::vector<Clause> clauses;
  while (!accept.empty() && clauses.size() < kClausesMax) {
    std::string_view rest = TrimSpaces(TakeUntil(accept, ','));
    std::string_view subtype = TakeUntil(rest, ';');
    Clause clause;
    clause.type = TrimSpaces(TakeUntil(subtype, '/'));
    if (subtype.find('/') != std::string_view::npos) continue;
    if (subtype.empty() && clause.type != "*") continue;
    clause.subtype = subtype.empty() ? "*" : TrimSpaces(subtype);
    TakeParameters(rest, clause);
    clauses.push_back(std::move(clause));
  }
  Sort(clauses);
  return clauses;
}

bool AsksFor(const Clause& clause, std::string_view type, std::string_view subtype) {
  return (clause.type == "*" || clause.type == type) &&
         (clause.subtype == "*" || clause.subtype == subtype);
}

bool AsksForProtobuf(const Clause& clause) {
  return AsksFor(clause, "application", "vnd.google.protobuf") &&
         clause.Parameter("proto") == "io.prometheus.client.MetricFamily" &&
         clause.Parameter("encoding") == "delimited";
}

bool AsksForText(const Clause& clause) {
  std::string_view version = clause.Parameter("version");
  if (version.empty() && clause.type == "text" && clause.subtype == "plain") version = "0.0.4";
  return AsksFor(clause, "text", "plain") && version == "0.0.4";
}

constexpr std::pair<std::string_view, NameEscaping> kEscapings[] = {
    {"allow-utf-8", NameEscaping::kNone},
    {"underscores", NameEscaping::kUnderscores},
    {"dots", NameEscaping::kDots},
    {"values", NameEscaping::kValues}};

bool IsClassicRune(char32_t rune, bool first) {
  return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || rune == '_' ||
         rune == ':' || (rune >= '0' && rune <= '9' && !first);
}

void AppendEscaped(char32_t rune, bool first, NameEscaping escaping, std::string& out) {
  const bool classic = IsClassicRune(rune, first);
  switch (escaping) {
    case NameEscaping::kNone:
      AppendRune(rune, out);
      return;
    case NameEscaping::kUnderscores:
      out += classic ? static_cast<char>(rune) : '_';
      return;
    case NameEscaping::kDots:
      if (rune == '.') {
        out += "_dot_";
      } else if (classic && rune != '_') {
        out += static_cast<char>(rune);
      } else {
        out += "__";
      }
      return;
    case NameEscaping::kValues:
      if (rune == '_') {
        out += "__";
      } else if (classic) {
        out += static_cast<char>(rune);
      } else {
        out += fmt::format("_{:x}_", static_cast<uint32_t>(rune));
      }
      return;
  }
}

}  // namespace

std::string FederateForm::content_type() const {
  std::string type =
      format == FederateFormat::kProtobuf
          ? "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
            "encoding=delimited"
          : "text/plain; version=0.0.4; charset=utf-8";
  for (const auto& [name, meaning] : kEscapings) {
    if (meaning == escaping) type += fmt::format("; escaping={}", name);
  }
  return type;
}

FederateForm NegotiateForm(std::string_view accept) {
  FederateForm form;
  for (const Clause& clause : ParseAccept(accept)) {
    const std::string_view wanted = clause.Parameter("escaping");
    // It stays for what follows, also where its own clause is not served.
    for (const auto& [name, escaping] : kEscapings) {
      if (name == wanted) form.escaping = escaping;
    }
    const bool protobuf = AsksForProtobuf(clause);
    if (!protobuf && !AsksForText(clause)) continue;
    form.format = protobuf ? FederateFormat::kProtobuf : FederateFormat::kText;
    return form;
  }
  return form;
}

bool TakesGzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    if (TrimSpaces(TakeUntil(accept_encoding, ',')) == "gzip") return true;
  }
  return false;
}

bool IsClassicName(std::string_view name) {
  if (name.empty()) return false;
  return IsClassicRune(static_cast<unsigned char>(name[0]), true) &&
         std::all_of(name.begin() + 1, name.end(),
                     [](char c) { return IsClassicRune(static_cast<unsigned char>(c), false); });
}

std::string EscapeName(std::string_view name, NameEscaping escaping) {
  if (name.empty() || escaping == NameEscaping::kNone || IsClassicName(name)) {
    return std::string(name);
  }
  std::string out = escaping == NameEscaping::kValues ? "U__" : "";
  for (size_t at = 0; at < name.size();) {
    const DecodedRune decoded = DecodeRune(name.substr(at));
    AppendEscaped(decoded.rune, at == 0, escaping, out);
    at += decoded.width;
  }
  return out;
}

}  // namespace tributary
