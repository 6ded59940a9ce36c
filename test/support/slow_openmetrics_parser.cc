#include "test/support/slow_openmetrics_parser.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "common/base/unicode.h"
#include "common/base/utf8.h"

namespace tributary {
namespace {

enum class Token {
  kInvalid,
  kEnd,
  kEofWord,
  kHelp,
  kType,
  kUnit,
  kFamily,
  kText,
  kMetricName,
  kBraceOpen,
  kBraceClose,
  kLabelName,
  kQuoted,
  kEqual,
  kLabelValue,
  kComma,
  kValue,
  kTimestamp,
  kExemplar,
  kLinebreak
};

enum class State {
  kInit,
  kComment,
  kMeta1,
  kMeta2,
  kLabels,
  kLabelValue,
  kValue,
  kTimestamp,
  kExemplar,
  kExemplarValue,
  kExemplarTimestamp
};

bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsLetter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsMetricLetter(int c) { return IsLetter(c) || c == ':'; }
bool IsAny(int c) { return c > 0; }
bool IsOfLine(int c) { return c > 0 && c != '\n'; }
bool IsOfToken(int c) { return c > 0 && c != '\n' && c != ' '; }

class SlowLexer {
 public:
  explicit SlowLexer(std::string_view page) : page_(page) {}

  size_t position() const { return position_; }
  std::string token() const { return Since(start_); }
  std::string Since(size_t start) const { return page_.substr(start, position_ - start); }
  // The page from a place on, for what looks beyond a token.
  std::string From(size_t start, size_t size) const { return page_.substr(start, size); }

  Token Next() {
    if (position_ >= page_.size()) return Token::kEnd;
    start_ = position_;
    switch (state_) {
      case State::kInit:
        if (Take(Name(IsMetricLetter), State::kValue)) return Token::kMetricName;
        if (Take(Text("{"), State::kLabels)) return Token::kBraceOpen;
        if (!Take(Text("# "), State::kComment)) break;
        [[fallthrough]];
      case State::kComment:
        if (Take(Text("HELP "), State::kMeta1)) return Token::kHelp;
        if (Take(Text("TYPE "), State::kMeta1)) return Token::kType;
        if (Take(Text("UNIT "), State::kMeta1)) return Token::kUnit;
        if (Take(Text("EOF\n"), State::kInit)) return Token::kEofWord;
        if (Take(Text("EOF"), State::kInit)) return Token::kEofWord;
        break;
      case State::kMeta1:
        if (Take(Quoted(IsAny), State::kMeta2)) return Token::kFamily;
        if (Take(Name(IsMetricLetter), State::kMeta2)) return Token::kFamily;
        break;
      case State::kMeta2:
        if (Take(Then(While(Text(" "), IsOfLine), "\n"), State::kInit)) return Token::kText;
        break;
      case State::kLabels:
        if (Take(Name(IsLetter), state_)) return Token::kLabelName;
        if (Take(Quoted(IsAny), state_)) return Token::kQuoted;
        if (Take(Text("}"), State::kValue)) return Token::kBraceClose;
        if (Take(Text("="), State::kLabelValue)) return Token::kEqual;
        if (Take(Text(","), state_)) return Token::kComma;
        break;
      case State::kLabelValue:
        if (Take(Quoted(IsOfLine), State::kLabels)) return Token::kLabelValue;
        break;
      case State::kValue:
        if (Take(Text("{"), State::kLabels)) return Token::kBraceOpen;
        if (Take(Word(), State::kTimestamp)) return Token::kValue;
        break;
      case State::kTimestamp:
        if (Take(Text("\n"), State::kInit)) return Token::kLinebreak;
        if (Take(Text(" # {"), State::kExemplar)) return Token::kExemplar;
        // The generated lexer never goes back: a blank after " #" must be this rule's.
        if (Text(" # ") != kNoMatch) break;
        if (Take(Word(), state_)) return Token::kTimestamp;
        break;
      case State::kExemplar:
        if (Take(Name(IsLetter), state_)) return Token::kLabelName;
        if (Take(Quoted(IsOfLine), state_)) return Token::kQuoted;
        if (Take(Text("}"), State::kExemplarValue)) return Token::kBraceClose;
        if (Take(Text("="), State::kExemplarValue)) return Token::kEqual;
        if (Take(Text(","), state_)) return Token::kComma;
        break;
      case State::kExemplarValue:
        if (Take(Quoted(IsOfLine), State::kExemplar)) return Token::kLabelValue;
        if (Take(Word(), State::kExemplarTimestamp)) return Token::kValue;
        break;
      case State::kExemplarTimestamp:
        if (Take(Text("\n"), State::kInit)) return Token::kLinebreak;
        if (Take(Word(), state_)) return Token::kTimestamp;
        break;
    }
    return Token::kInvalid;
  }

 private:
  static constexpr size_t kNoMatch = std::string::npos;

  // A NUL stands for the end of the page too.
  int At(size_t i) const { return i < page_.size() ? static_cast<unsigned char>(page_[i]) : 0; }

  // The next byte's place; where NUL bytes are welcome, they are jumped over.
  size_t Step(size_t i) const {
    ++i;
    if (state_ == State::kLabelValue || state_ == State::kMeta2 || state_ == State::kComment) {
      while (i < page_.size() && page_[i] == '\0') ++i;
    }
    return i;
  }

  // Each matcher gives the place after what it matches.
  size_t While(size_t i, bool (*is)(int)) const {
    if (i == kNoMatch) return kNoMatch;
    while (is(At(i))) i = Step(i);
    return i;
  }
  size_t Then(size_t i, const char* text) const {
    if (i == kNoMatch) return kNoMatch;
    for (; *text != '\0'; ++text) {
      if (At(i) != *text) return kNoMatch;
      i = Step(i);
    }
    return i;
  }
  size_t Text(const char* text) const { return Then(position_, text); }
  size_t Name(bool (*is_letter)(int)) const {
    size_t i = position_;
    if (!is_letter(At(i))) return kNoMatch;
    while (is_letter(At(i)) || IsDigit(At(i))) i = Step(i);
    return i;
  }
  size_t Word() const {
    const size_t i = Text(" ");
    return i == kNoMatch || !IsOfToken(At(i)) ? kNoMatch : While(i, IsOfToken);
  }
  size_t Quoted(bool (*may_hold)(int)) const {
    size_t i = Text("\"");
    if (i == kNoMatch) return kNoMatch;
    while (At(i) != '"') {
      if (!may_hold(At(i))) return kNoMatch;
      if (At(i) == '\\') {
        i = Step(i);
        if (!IsOfLine(At(i))) return kNoMatch;
      }
      i = Step(i);
    }
    return Step(i);
  }

  bool Take(size_t end, State next) {
    if (end == kNoMatch) return false;
    position_ = end;
    state_ = next;
    return true;
  }

  std::string page_;
  size_t start_ = 0;
  size_t position_ = 0;
  State state_ = State::kInit;
};

std::string WithoutFirstAndLast(const std::string& text) { return text.substr(1, text.size() - 2); }

TimestampMs Milliseconds(double value) {
  const double scaled = std::trunc(value * 1000);
  if (std::fabs(scaled) > 9.2e18) {
    // Close to the edge, to the bit; a long double holds all of the integers.
    const auto exact = static_cast<long double>(scaled);
    if (!(exact >= -9223372036854775808.0L && exact <= 9223372036854775807.0L)) {
      return std::numeric_limits<TimestampMs>::min();
    }
  }
  return std::isnan(scaled) ? std::numeric_limits<TimestampMs>::min()
                            : static_cast<TimestampMs>(scaled);
}

// Beside an entry, what finding starts needs.
struct EntryFacts {
  bool is_created = false;
  bool has_start = false;  // by its type
  std::string key;         // as a sample's
  std::string created_key;
  double value = 0;
};

class SlowPageParser {
 public:
  SlowPageParser(std::string_view page, CreatedLines created) : lexer_(page), created_(created) {}

  OpenMetricsPage Parse() {
    OpenMetricsPage page;
    bool more = true;
    while (more) {
      OpenMetricsEntry entry;
      facts_.emplace_back();
      const bool good = Entry(entry, more);
      if (!good) page.good = false;
      if (!good || !more) break;
      page.entries.push_back(entry);
    }
    if (created_ == CreatedLines::kAreStarts) FindStarts(page);
    return page;
  }

 private:
  bool Entry(OpenMetricsEntry& entry, bool& more) {
    line_start_ = lexer_.position();
    switch (const Token token = lexer_.Next()) {
      case Token::kEofWord:
        more = false;
        return lexer_.Next() == Token::kEnd;
      case Token::kHelp:
        entry.kind = LineKind::kHelp;
        return Metadata(entry);
      case Token::kType:
        entry.kind = LineKind::kType;
        return Metadata(entry);
      case Token::kUnit:
        entry.kind = LineKind::kUnit;
        return Metadata(entry);
      case Token::kMetricName:
        name_ = lexer_.token();
        name_place_ = 0;
        entry.series = *name_;
        return Series(lexer_.Next(), entry);
      case Token::kBraceOpen:
        name_.reset();
        return Series(token, entry);
      default:
        return false;
    }
  }

  bool Metadata(OpenMetricsEntry& entry) {
    if (lexer_.Next() != Token::kFamily) return false;
    entry.family = lexer_.token();
    if (entry.family[0] == '"') entry.family = WithoutFirstAndLast(entry.family);
    family_bytes_ = entry.family.size();
    if (lexer_.Next() != Token::kText) return false;
    entry.text = WithoutFirstAndLast(lexer_.token());
    if (entry.kind == LineKind::kUnit) {
      return entry.text.empty() || entry.family.ends_with("_" + entry.text);
    }
    if (entry.kind == LineKind::kHelp) {
      if (!IsValidUtf8(entry.text)) return false;
      entry.text = SlowUnescape(entry.text);
      return true;
    }
    const std::set<std::string> types = {"counter", "gauge",    "histogram", "gaugehistogram",
                                         "info",    "stateset", "summary",   "unknown"};
    type_ = entry.text;
    return types.contains(type_);
  }

  bool Series(Token token, OpenMetricsEntry& entry) {
    TextLabels labels;
    if (token == Token::kBraceOpen) {
      if (!Braces(labels, true) || !name_) return false;
      entry.series = lexer_.Since(line_start_);
      token = lexer_.Next();
    }
    double value = 0;
    if (token != Token::kValue || !Number(value)) return false;
    entry.value_bits = std::bit_cast<uint64_t>(value);
    entry.labels = SlowFinalLabels(*name_, labels, type_);
    SetFacts(labels, value);
    token = lexer_.Next();
    if (token == Token::kInvalid) return true;  // as the reference: the next entry fails on it
    if (token == Token::kTimestamp) {
      if (!Timestamp(entry.timestamp)) return false;
      token = lexer_.Next();
    }
    if (token == Token::kExemplar) return Exemplar(entry.exemplar.emplace());
    return token == Token::kLinebreak;
  }

  bool Exemplar(OpenMetricsExemplar& exemplar) {
    TextLabels labels;
    double value = 0;
    if (!Braces(labels, false)) return false;
    if (lexer_.Next() != Token::kValue || !Number(value)) return false;
    std::optional<TimestampMs> timestamp;
    Token token = lexer_.Next();
    if (token == Token::kTimestamp) {
      if (!Timestamp(timestamp)) return false;
      token = lexer_.Next();
    }
    exemplar.labels = ExemplarLabels(labels);
    if (exemplar.labels) {
      exemplar.value_bits = std::bit_cast<uint64_t>(value);
      exemplar.timestamp = timestamp;
    }
    return token == Token::kLinebreak;
  }

  static std::optional<TextLabels> ExemplarLabels(const TextLabels& raw) {
    std::map<std::string, std::string> labels;
    size_t code_points = 0;
    for (const auto& [name, value] : raw) {
      if (value.empty()) continue;
      if (name.empty() || !labels.emplace(name, value).second) return std::nullopt;
      for (std::string rest = name; !rest.empty(); ++code_points)
        rest.erase(0, DecodeRune(rest).width);
      for (std::string rest = value; !rest.empty(); ++code_points)
        rest.erase(0, DecodeRune(rest).width);
    }
    if (code_points > 128) return std::nullopt;
    return TextLabels(labels.begin(), labels.end());
  }

  bool Number(double& out) const {
    const std::optional<double> number = SlowParseValue(lexer_.token().substr(1));
    out = number.value_or(0);
    return number.has_value();
  }

  bool Timestamp(std::optional<TimestampMs>& out) const {
    double value = 0;
    if (!Number(value) || !std::isfinite(value)) return false;
    out = Milliseconds(value);
    return true;
  }

  bool Braces(TextLabels& labels, bool may_name) {
    Token token = lexer_.Next();
    while (token != Token::kBraceClose) {
      if (token != Token::kLabelName && token != Token::kQuoted) return false;
      const bool quoted = token == Token::kQuoted;
      const size_t place = lexer_.position() - lexer_.token().size() + 1 - line_start_;
      const std::string name = quoted ? WithoutFirstAndLast(lexer_.token()) : lexer_.token();
      token = lexer_.Next();
      if (quoted && (token == Token::kComma || token == Token::kBraceClose)) {
        if (!may_name || name_) return false;
        name_ = name;
        name_place_ = place;
        if (token == Token::kComma) token = lexer_.Next();
        continue;
      }
      if (token != Token::kEqual) return false;
      if (lexer_.Next() != Token::kLabelValue) return false;
      if (!IsValidUtf8(lexer_.token())) return false;
      labels.emplace_back(name, WithoutFirstAndLast(lexer_.token()));
      token = lexer_.Next();
      if (token == Token::kComma) {
        token = lexer_.Next();
      } else if (token != Token::kBraceClose) {
        return false;
      }
    }
    return true;
  }

  void SetFacts(const TextLabels& labels, double value) {
    EntryFacts& facts = facts_.back();
    facts.has_start = type_ == "counter" || type_ == "histogram" || type_ == "summary";
    facts.value = value;
    std::string text;
    for (const auto& [name, label_value] : labels) {
      const bool left_out =
          (type_ == "histogram" && name == "le") || (type_ == "summary" && name == "quantile");
      if (!left_out) text += name + label_value;
    }
    // The reference's slice of the line, which may go beyond the series' text.
    const size_t end =
        family_bytes_ + (lexer_.From(line_start_, 2) == "{\"" ? size_t{2} : size_t{0});
    facts.key = end < name_place_
                    ? "\n none"
                    : text + lexer_.From(line_start_ + name_place_, end - name_place_);
    facts.is_created = facts.has_start && name_->ends_with("_created");
    if (facts.is_created) facts.created_key = text + name_->substr(0, name_->size() - 8);
  }

  // Sample by sample, each looking ahead; then the _created lines go.
  void FindStarts(OpenMetricsPage& page) const {
    std::string remembered_key;
    TimestampMs remembered = 0;
    for (size_t i = 0; page.good && i < page.entries.size(); ++i) {
      OpenMetricsEntry& entry = page.entries[i];
      if (entry.kind != LineKind::kSample || facts_[i].is_created) continue;
      if (remembered > 0 && facts_[i].has_start && facts_[i].key == remembered_key) {
        entry.start = remembered;
        continue;
      }
      remembered = 0;
      if (!facts_[i].has_start) continue;
      for (size_t ahead = i + 1; ahead < page.entries.size(); ++ahead) {
        if (page.entries[ahead].kind != LineKind::kSample) break;
        if (!facts_[ahead].is_created) continue;
        if (facts_[ahead].created_key != facts_[i].key) break;
        remembered_key = facts_[i].key;
        remembered = Milliseconds(facts_[ahead].value);
        entry.start = remembered;
        break;
      }
    }
    size_t kept = 0;
    for (size_t i = 0; i < page.entries.size(); ++i) {
      if (!facts_[i].is_created) page.entries[kept++] = page.entries[i];
    }
    page.entries.resize(kept);
  }

  SlowLexer lexer_;
  const CreatedLines created_;
  size_t line_start_ = 0;
  std::optional<std::string> name_;
  size_t name_place_ = 0;  // in its line
  std::string type_;
  size_t family_bytes_ = 0;
  std::vector<EntryFacts> facts_;  // of each entry
};

}  // namespace

OpenMetricsPage SlowParseOpenMetrics(std::string_view page, CreatedLines created) {
  return SlowPageParser(page, created).Parse();
}

std::string ToString(const OpenMetricsPage& page) {
  const auto shown = [](const std::optional<TextLabels>& labels) {
    if (!labels) return std::string(" refused");
    std::string out;
    for (const auto& [name, value] : *labels) out += " " + name + "=" + value;
    return out;
  };
  const auto time = [](const std::optional<TimestampMs>& timestamp) {
    return timestamp ? " @" + std::to_string(*timestamp) : "";
  };
  std::string out = page.good ? "good\n" : "refused\n";
  for (const OpenMetricsEntry& entry : page.entries) {
    out += "kind " + std::to_string(static_cast<int>(entry.kind)) + " " + entry.family + " [" +
           entry.text + "] " + entry.series + " = " + std::to_string(entry.value_bits) +
           time(entry.timestamp) + shown(entry.labels);
    if (entry.exemplar) {
      out += " #" + shown(entry.exemplar->labels) + " = " +
             std::to_string(entry.exemplar->value_bits) + time(entry.exemplar->timestamp);
    }
    if (entry.start != 0) out += " since " + std::to_string(entry.start);
    out += "\n";
  }
  return out;
}

}  // namespace tributary
