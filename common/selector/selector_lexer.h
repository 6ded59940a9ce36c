// The tokens of PromQL, as far as a series selector is told from what is none. Internal to this
// folder. Follows promql/parser/lex.go of prometheus 3.16, messages included: what a user is told
// is wrong should be what Prometheus tells. Views into the input, which must outlive the lexer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

struct SelectorToken {
  enum class Kind : uint8_t {
    kEnd,
    kError,       // `description` is the message
    kIdentifier,  // a name without colons, in or before the braces
    kOtherName,   // what else may stand before the braces: names with colons, most keywords
    kString,      // with its quotes
    kLeftBrace,
    kRightBrace,
    kComma,
    kEqual,
    kNotEqual,
    kMatches,     // =~
    kNotMatches,  // !~
    kOther,       // has no place in a selector
  };
  Kind kind = Kind::kEnd;
  size_t position = 0;  // in bytes
  std::string_view text;
  std::string description;  // for messages: `identifier "up"`, `<aggr:sum>`
};

class SelectorLexer {
 public:
  explicit SelectorLexer(std::string_view input) : input_(input) {}
  // After kEnd or kError there is nothing more. Comments are left out.
  SelectorToken Next();

 private:
  using Kind = SelectorToken::Kind;
  static constexpr int32_t kEof = -1;

  int32_t NextRune();
  int32_t PeekRune();
  void Backup() { position_ -= width_; }
  std::string_view Text() const { return input_.substr(start_, position_ - start_); }
  void SkipSpaceAndComments();
  SelectorToken Error(std::string message) const;
  SelectorToken Token(Kind kind, std::string description) const;
  // A token that is described by its own text in quotes.
  SelectorToken Sign(Kind kind) const;
  SelectorToken Operator() const;
  SelectorToken Name(bool colons_allowed);
  SelectorToken Word(std::string_view word) const;
  SelectorToken Quoted(int32_t quote);
  SelectorToken RawQuoted();
  // What is wrong with the escape whose backslash has been read; "": nothing.
  std::string BrokenEscape(int32_t quote);
  SelectorToken NumberOrDuration();
  bool ScanNumber();
  bool ScanRestOfDuration();
  bool Accept(std::string_view set);
  SelectorToken InsideBraces();
  SelectorToken Outside();

  std::string_view input_;
  size_t start_ = 0;
  size_t position_ = 0;
  size_t width_ = 0;  // of the last rune
  bool in_braces_ = false;
};

}  // namespace tributary
