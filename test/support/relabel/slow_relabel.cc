#include "test/support/relabel/slow_relabel.h"

#include <openssl/evp.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string>

#include "common/base/utf8.h"

namespace tributary {
namespace {

using Groups = std::vector<std::string>;

// What a reference to a group means; "" for what is no group.
std::string GroupText(const std::string& name, const Groups& groups, const re2::RE2& regex) {
  bool number = name.find_first_not_of("0123456789") == std::string::npos;
  bool leading_zero = name.size() > 1 && name[0] == '0';
  size_t index = groups.size();
  if (number && !leading_zero && name.size() < 9) {
    index = std::stoul(name);
  } else if (auto named = regex.NamedCapturingGroups().find(name);
             named != regex.NamedCapturingGroups().end()) {
    index = static_cast<size_t>(named->second);
  }
  return index < groups.size() ? groups[index] : "";
}

// ASCII names only: tests of others are elsewhere.
bool IsNameCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string Expand(const std::string& text, const Groups& groups, const re2::RE2& regex) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      out += text[i];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == '$') {
      out += text[++i];
      continue;
    }
    size_t start = i + 1;
    bool brace = start < text.size() && text[start] == '{';
    if (brace) ++start;
    size_t end = start;
    while (end < text.size() && IsNameCharacter(text[end])) ++end;
    if (end == start || (brace && (end == text.size() || text[end] != '}'))) {
      out += '$';
      continue;
    }
    out += GroupText(text.substr(start, end - start), groups, regex);
    i = brace ? end : end - 1;
  }
  return out;
}

std::optional<Groups> Match(const re2::RE2& regex, const std::string& text) {
  std::vector<re2::StringPiece> pieces(static_cast<size_t>(regex.NumberOfCapturingGroups()) + 1);
  if (!regex.Match(text, 0, text.size(), re2::RE2::UNANCHORED, pieces.data(),
                   static_cast<int>(pieces.size()))) {
    return std::nullopt;
  }
  Groups groups;
  for (const re2::StringPiece& piece : pieces) groups.push_back(piece.as_string());
  return groups;
}

std::string HashMod(const std::string& text, uint64_t modulus) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  size_t size = 0;
  if (EVP_Q_digest(nullptr, "MD5", nullptr, text.data(), text.size(), digest, &size) != 1) {
    throw std::runtime_error("no MD5");
  }
  uint64_t last = 0;
  for (size_t i = size - 8; i < size; ++i) last = last * 256 + digest[i];
  return std::to_string(last % modulus);
}

struct State {
  std::map<std::string, std::string> labels;
  std::vector<std::string> added;  // names that were set, oldest first

  std::string Get(const std::string& name) const {
    auto found = labels.find(name);
    return found == labels.end() ? "" : found->second;
  }
  void Set(const std::string& name, const std::string& value) {
    if (value.empty()) {
      labels.erase(name);
      std::erase(added, name);
      return;
    }
    labels[name] = value;
    for (const std::string& old : added) {
      if (old == name) return;
    }
    added.push_back(name);
  }
};

// False: dropped.
bool ApplyRule(const RelabelConfig& rule, State& state) {
  std::string source;
  for (size_t i = 0; i < rule.source_labels.size(); ++i) {
    if (i > 0) source += rule.separator;
    source += state.Get(rule.source_labels[i]);
  }
  re2::RE2 regex("^(?s:" + rule.regex + ")$", re2::RE2::Quiet);
  std::optional<Groups> match = Match(regex, source);
  switch (rule.action) {
    case RelabelAction::kKeep:
      return match.has_value();
    case RelabelAction::kDrop:
      return !match.has_value();
    case RelabelAction::kKeepEqual:
      return state.Get(rule.target_label) == source;
    case RelabelAction::kDropEqual:
      return state.Get(rule.target_label) != source;
    case RelabelAction::kReplace: {
      if (!match) return true;
      std::string target = Expand(rule.target_label, *match, regex);
      if (target.empty() || !IsValidUtf8(target)) return true;
      state.Set(target, Expand(rule.replacement, *match, regex));
      return true;
    }
    case RelabelAction::kHashMod:
      state.Set(rule.target_label, HashMod(source, rule.modulus));
      return true;
    case RelabelAction::kLowercase:
      state.Set(rule.target_label, ToLowerUtf8(source));
      return true;
    case RelabelAction::kUppercase:
      state.Set(rule.target_label, ToUpperUtf8(source));
      return true;
    case RelabelAction::kLabelDrop:
    case RelabelAction::kLabelKeep:
    case RelabelAction::kLabelMap:
      break;
  }
  const State before = state;
  std::vector<std::string> order;
  for (const auto& [name, value] : before.labels) {
    if (std::find(before.added.begin(), before.added.end(), name) == before.added.end()) {
      order.push_back(name);
    }
  }
  order.insert(order.end(), before.added.begin(), before.added.end());
  for (const std::string& name : order) {
    std::optional<Groups> matched = Match(regex, name);
    if (rule.action == RelabelAction::kLabelMap) {
      if (matched) state.Set(Expand(rule.replacement, *matched, regex), before.Get(name));
    } else if (matched.has_value() == (rule.action == RelabelAction::kLabelDrop)) {
      state.Set(name, "");
    }
  }
  return true;
}

}  // namespace

std::optional<Labels> SlowRelabel(const std::vector<RelabelConfig>& rules, const Labels& labels) {
  State state;
  for (const Label& label : labels) state.labels[label.name] = label.value;
  for (const RelabelConfig& rule : rules) {
    if (!ApplyRule(rule, state)) return std::nullopt;
  }
  std::vector<Label> items;
  for (const auto& [name, value] : state.labels) items.push_back({name, value});
  return Labels(std::move(items));
}

}  // namespace tributary
